"""Small questions about nodes and modules that users' code asks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

from ._bridge.modules import get_attribute
from ._qparams import calculate_qmin_qmax, check_min_max_valid, determine_qparams, get_qparam_dict, validate_qmin_qmax
from .observer import _is_per_channel

__all__ = [
    "calculate_qmin_qmax",
    "check_min_max_valid",
    "create_getattr_from_value",
    "determine_qparams",
    "get_fqn_to_example_inputs",
    "get_new_attr_name_with_prefix",
    "get_qparam_dict",
    "getattr_from_fqn",
    "has_no_children_ignoring_parametrizations",
    "is_per_channel",
    "is_per_tensor",
    "to_underlying_dtype",
    "validate_qmin_qmax",
]

_ATEN = torch.ops.aten
_CONV = {
    _ATEN.conv1d.default, _ATEN.conv1d.padding, _ATEN.conv2d.default, _ATEN.conv2d.padding, _ATEN.conv3d.default,
    _ATEN.conv3d.padding,
}  # fmt: skip
_CONV_TRANSPOSE = {
    _ATEN.conv_transpose1d.default, _ATEN.conv_transpose2d.input, _ATEN.conv_transpose3d.input,
}  # fmt: skip
_SIZES = {_ATEN.sym_size.int, _ATEN.sym_size.default, _ATEN.sym_numel.default, _ATEN.sym_size, _ATEN.sym_numel}
_UNDERLYING = {
    torch.quint8: torch.uint8, torch.qint8: torch.int8, torch.qint32: torch.int32, torch.quint4x2: torch.uint8,
    torch.quint2x4: torch.uint8,
}  # fmt: skip
_OTHER_INTEGERS = {torch.int16, torch.uint16, torch.float8_e5m2, torch.float8_e4m3fn}
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


def _is_sym_size_node(node: Node) -> bool:
    """Whether the node asks for a size."""
    return node.op == "call_function" and node.target in _SIZES


def _filter_sym_size_users(node: Node) -> list[Node]:
    """The users of a node but for those that ask for its size."""
    return [user for user in node.users if not _is_sym_size_node(user)]


def is_per_tensor(qscheme: torch.qscheme) -> bool:
    return qscheme in (torch.per_tensor_affine, torch.per_tensor_symmetric)


def is_per_channel(qscheme: torch.qscheme) -> bool:
    return _is_per_channel(qscheme)


def to_underlying_dtype(qdtype: torch.dtype) -> torch.dtype:
    """The integers that a quantized dtype (torch.qint8 ...) consists of; integers themselves. Raises AssertionError for others."""
    if qdtype in _UNDERLYING:
        return _UNDERLYING[qdtype]
    if qdtype in _UNDERLYING.values() or qdtype in _OTHER_INTEGERS:
        return qdtype
    raise AssertionError(f"a quantized dtype expected, found {qdtype}")


def getattr_from_fqn(obj: Any, fqn: str) -> Any:
    """obj.a.b for "a.b"."""
    return get_attribute(obj, fqn)


def has_no_children_ignoring_parametrizations(module: torch.nn.Module) -> bool:
    """Whether the module has no modules inside, but for those of torch.nn.utils.parametrize."""
    return set(module._modules) <= {"parametrizations"}


def get_fqn_to_example_inputs(model: torch.nn.Module, example_inputs: tuple[Any, ...]) -> dict[str, tuple[Any, ...]]:
    """What each module of `model` is called with when that runs on `example_inputs`, by the module's name ("": the model).

    Keyword arguments stand at their positions, and defaults where the call leaves them out: forward(self, x, scale=3, shift=3)
    called as module(x, shift=6) has (x, 3, 6). Of a module that is called several times it is the last call.
    """
    found: dict[str, tuple[Any, ...]] = {}

    def note(name: str, signature: inspect.Signature) -> Callable[..., None]:
        def hook(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            call = signature.bind(*args, **kwargs)
            call.apply_defaults()
            found[name] = tuple(call.arguments.values())

        return hook

    hooks = [
        module.register_forward_pre_hook(note(name, inspect.signature(module.forward)), with_kwargs=True, prepend=True)
        for name, module in model.named_modules()
    ]
    try:
        model(*example_inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return found


def create_getattr_from_value(
    module: torch.nn.Module, graph: torch.fx.Graph, prefix: str, value: Any, device: torch.device | None = None
) -> Node:
    """Makes a buffer of a tensor or number and a node that reads it, at the graph's insertion point."""
    name = get_new_attr_name_with_prefix(prefix)(module)
    if device is None:
        device = next((tensor.device for tensor in (*module.parameters(), *module.buffers())), None)
    tensor = value.detach().clone() if isinstance(value, torch.Tensor) else torch.tensor(value)
    module.register_buffer(name, tensor.to(device))
    return graph.create_node("get_attr", name)


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
