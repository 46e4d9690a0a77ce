"""Small questions about nodes and modules that users' code asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

__all__ = ["get_new_attr_name_with_prefix"]

_ATEN = torch.ops.aten
_CONV = {
    _ATEN.conv1d.default, _ATEN.conv1d.padding, _ATEN.conv2d.default, _ATEN.conv2d.padding, _ATEN.conv3d.default,
    _ATEN.conv3d.padding,
}  # fmt: skip
_CONV_TRANSPOSE = {
    _ATEN.conv_transpose1d.default, _ATEN.conv_transpose2d.input, _ATEN.conv_transpose3d.input,
}  # fmt: skip
_BATCH_NORM = {_ATEN.batch_norm.default, _ATEN._native_batch_norm_legit_no_training.default}


def _is_conv_node(n: Node) -> bool:
    """1d, 2d or 3d, with numbers or a word as padding."""
    return n.op == "call_function" and n.target in _CONV


def _is_conv_transpose_node(n: Node) -> bool:
    return n.op == "call_function" and n.target in _CONV_TRANSPOSE


def _is_conv_or_conv_transpose_node(n: Node) -> bool:
    return _is_conv_node(n) or _is_conv_transpose_node(n)


def _is_linear_node(n: Node) -> bool:
    return n.op == "call_function" and n.target is _ATEN.linear.default


def _is_bn_node(n: Node) -> bool:
    return n.op == "call_function" and n.target in _BATCH_NORM


def get_new_attr_name_with_prefix(prefix: str) -> Callable[[torch.nn.Module], str]:
    """A function that finds a name for a module's new attribute: the prefix and the first number that is free."""
    prefix = prefix.replace(".", "_")

    def name_for(module: torch.nn.Module) -> str:
        number = 0
        while hasattr(module, f"{prefix}{number}"):
            number += 1
        return f"{prefix}{number}"

    return name_for


def _get_aten_graph_module_for_pattern(
    pattern: Callable[..., Any], example_inputs: tuple[Any, ...], is_cuda: bool = False, **kwargs: Any
) -> torch.fx.GraphModule:
    """A function as a graph of ATen ops, for pattern matching."""
    from .export_utils import WrapperModule

    if is_cuda:
        example_inputs = tuple(x.cuda() if isinstance(x, torch.Tensor) else x for x in example_inputs)
    module = torch.export.export(WrapperModule(pattern), example_inputs, kwargs, strict=True).module()
    module.graph.eliminate_dead_code()  # type: ignore[union-attr, operator]
    module.recompile()  # type: ignore[operator]
    return module  # type: ignore[return-value]
