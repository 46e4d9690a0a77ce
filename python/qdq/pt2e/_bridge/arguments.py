"""Arguments of nodes in both directions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from qdq import Device, DType, Layout, MemoryFormat, Node, Opaque, Operator

from .dtypes import core_dtype, torch_dtype
from .targets import target_from_text, target_text

_LAYOUTS = {getattr(torch, layout.name if layout is not Layout.mkldnn else "_mkldnn"): layout for layout in Layout}
_MEMORY_FORMATS = {
    torch.contiguous_format: MemoryFormat.contiguous,
    torch.channels_last: MemoryFormat.channels_last,
    torch.channels_last_3d: MemoryFormat.channels_last_3d,
    torch.preserve_format: MemoryFormat.preserve,
}
_TORCH_LAYOUTS = {layout: torch_layout for torch_layout, layout in _LAYOUTS.items()}
_TORCH_MEMORY_FORMATS = {memory_format: torch_format for torch_format, memory_format in _MEMORY_FORMATS.items()}
_PLAIN = frozenset((type(None), bool, int, float, str))
_OPAQUE = "python"  # kind of an argument that only Python knows; its payload is a number of the table


class ArgumentTable:
    """The arguments of one crossing that the core has no form for."""

    def __init__(self) -> None:
        self._values: list[Any] = []

    def to_core(self, value: Any, node_of: Mapping[torch.fx.Node, Node]) -> Any:
        if type(value) in _PLAIN:
            return value
        if isinstance(value, torch.fx.Node):
            return node_of[value]
        if isinstance(value, (list, tuple)) and not hasattr(value, "_fields"):
            return [self.to_core(item, node_of) for item in value]
        if isinstance(value, dict) and all(isinstance(key, str) for key in value):
            return {key: self.to_core(item, node_of) for key, item in value.items()}
        if isinstance(value, torch.dtype):
            return core_dtype(value)
        if isinstance(value, torch.layout):
            return _LAYOUTS[value]
        if isinstance(value, torch.memory_format):
            return _MEMORY_FORMATS[value]
        if isinstance(value, torch.device):
            return Device(value.type, value.index)
        if isinstance(value, complex):
            return value
        if isinstance(value, (torch._ops.OpOverload, torch._ops.OpOverloadPacket)):
            return Operator(target_text(value))
        # Slices, named tuples and the like: nodes inside become dependencies, the rest is kept here.
        inner: list[torch.fx.Node] = []

        def keep(node: torch.fx.Node) -> torch.fx.Node:
            inner.append(node)
            return node

        torch.fx.map_arg(value, keep)
        self._values.append(value)
        return [Opaque(_OPAQUE, str(len(self._values) - 1)), *(node_of[node] for node in inner)]

    def to_torch(self, value: Any, old: Any, fx_of: Callable[[Node], torch.fx.Node]) -> Any:
        """`old`, the argument that was there before, says whether a list was a tuple."""
        if isinstance(value, Node):
            return fx_of(value)
        if isinstance(value, list):
            if value and isinstance(value[0], Opaque) and value[0].kind == _OPAQUE:
                replacements = iter([fx_of(node) for node in value[1:]])
                return torch.fx.map_arg(self._values[int(value[0].json)], lambda _: next(replacements))
            olds = old if isinstance(old, (list, tuple)) and len(old) == len(value) else [None] * len(value)
            items = [self.to_torch(item, was, fx_of) for item, was in zip(value, olds)]
            return tuple(items) if isinstance(old, tuple) else items
        if isinstance(value, dict):
            old_items = old if isinstance(old, dict) else {}
            return {key: self.to_torch(item, old_items.get(key), fx_of) for key, item in value.items()}
        if isinstance(value, DType):
            return torch_dtype(value)
        if isinstance(value, Operator):
            return target_from_text(value.target)
        if isinstance(value, Layout):
            return _TORCH_LAYOUTS[value]
        if isinstance(value, MemoryFormat):
            return _TORCH_MEMORY_FORMATS[value]
        if isinstance(value, Device):
            return torch.device(value.type, value.index) if value.index is not None else torch.device(value.type)
        return value
