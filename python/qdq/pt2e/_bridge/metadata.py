"""Node metadata. The core keeps texts; what is no text crosses as a token and comes back as the same object."""

from __future__ import annotations

from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor

from qdq import SymBool, SymFloat, SymInt, TensorMeta, typing

from .dtypes import core_dtype

ANNOTATION_KEY = "quantization_annotation"
CONVERTED = "_converted"  # attribute of an annotation: convert has followed it
PATTERN_OUTPUT = "_is_output_of_quantized_pattern"  # attribute of the Inductor quantizers' annotations
ANNOTATED_BY = "_annotated_by"  # attribute of an annotation: the name of the quantizer that made it, where several did


def module_stack_text(stack: dict[str, tuple[str, Any]]) -> str:
    """``key,path,type;key,path,type``, outermost first, as torch.export saves it."""
    return ";".join(f"{key},{path},{_type_name(kind)}" for key, (path, kind) in stack.items())


def _type_name(kind: Any) -> str:
    return kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"


class MetadataTable:
    """The texts of one crossing and the objects behind them."""

    def __init__(self) -> None:
        self._objects: dict[str, Any] = {}
        self._tokens: dict[int, str] = {}

    def text(self, key: str, value: Any) -> str:
        if isinstance(value, str):
            return value
        if key == "nn_module_stack" and isinstance(value, dict):
            text = module_stack_text(value)
            self._objects.setdefault(text, value)
            return text
        token = self._tokens.get(id(value))
        if token is None:
            token = self._tokens[id(value)] = f"<python object {len(self._tokens)}>"
            self._objects[token] = value  # also keeps the id from being used again
        return token

    def value(self, text: str) -> Any:
        return self._objects.get(text, text)


def _size(value: Any) -> int | SymInt:
    if isinstance(value, torch.SymInt):
        return SymInt(str(value.node.expr), value.node.hint)
    return int(value)


def value_type(value: Any) -> typing.ValueType:
    """What the core wants to know of a node's ``val``."""
    if isinstance(value, torch.Tensor):
        if value.layout is not torch.strided:
            return None
        return TensorMeta(
            core_dtype(value.dtype),
            [s if type(s) is int else _size(s) for s in value.shape],
            [s if type(s) is int else _size(s) for s in value.stride()],
            requires_grad=value.requires_grad,
        )
    if isinstance(value, torch.SymInt):
        return _size(value)
    if isinstance(value, torch.SymBool):
        return SymBool(str(value.node.expr), value.node.hint)
    if isinstance(value, torch.SymFloat):
        return SymFloat(str(value.node.expr), value.node.hint)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, (list, tuple)):
        return [value_type(item) for item in value]
    return None


def fake_tensor_of(tensor: torch.Tensor, mode: Any) -> FakeTensor:
    """A fake tensor of those sizes, strides and dtype: what ``mode.from_tensor`` makes of a plain tensor, without its search."""
    shape = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
    return FakeTensor(mode, shape, tensor.device)


def fake_mode_of(graph: torch.fx.Graph) -> Any:
    """The mode of the graph's fake tensors, None when it has none."""
    for node in graph.nodes:
        if isinstance(node.meta.get("val"), FakeTensor):
            return node.meta["val"].fake_mode
    return None
