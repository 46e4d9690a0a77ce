"""Constants computed once instead of in every run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.fx import GraphModule, Node

from ._bridge.modules import delete_unread_tensors, get_attribute
from .graph_utils import collect_producer_nodes
from .utils import get_new_attr_name_with_prefix

__all__ = ["collect_producer_nodes", "constant_fold", "is_const_source", "replace_node_with_constant"]


def is_const_source(node: Node, lifted_constant_names: list[str] | None) -> bool:
    """Whether the node reads a tensor of the module, or is an input of one of those names."""
    return node.op == "get_attr" or node.name in (lifted_constant_names or ())


def constant_fold(gm: GraphModule, constraint_fn: Callable[[Node], bool] | None = None) -> None:
    """Replaces, in place, nodes that are computed from parameters and buffers alone by their values.

    constraint_fn: says which of these nodes are replaced; by default all. What dequantizes stays, so that weights stay
    quantized, and so do random numbers and what reads a buffer that the graph writes to. The value is a buffer
    ``_frozen_param<i>``, whose node keeps name and metadata; tensors that nothing reads any more go.
    """
    values = _constant_values(gm)
    for node, value in values.items():
        read_by_others = any(user not in values for user in node.users)
        if node.op == "get_attr" or not read_by_others or not isinstance(value, torch.Tensor):
            continue
        if constraint_fn is None or constraint_fn(node):
            replace_node_with_constant(gm, node, value)
    for node in reversed(gm.graph.nodes):
        if node in values and not node.users:
            gm.graph.erase_node(node)
    delete_unread_tensors(gm)
    gm.graph.lint()
    gm.recompile()


def _constant_values(gm: GraphModule) -> dict[Node, Any]:
    """The values of the nodes that no input reaches."""
    written = _written_buffers(gm)
    values: dict[Node, Any] = {}
    with torch.no_grad():
        for node in gm.graph.nodes:
            if node.op == "get_attr" and node.target not in written:
                value = get_attribute(gm, node.target)
                if isinstance(value, torch.Tensor):
                    values[node] = value
            elif node.op == "call_function" and _may_be_folded(node) and all(n in values for n in node.all_input_nodes):
                args, kwargs = torch.fx.map_arg((node.args, node.kwargs), values.__getitem__)
                values[node] = node.target(*args, **kwargs)
    return values


def _written_buffers(gm: GraphModule) -> set[str]:
    """The names of the tensors that an operator of the graph changes."""
    names: set[str] = set()
    for node in gm.graph.nodes:
        schema = getattr(node.target, "_schema", None)
        if schema is None or not schema.is_mutable:
            continue
        for argument, value in zip(schema.arguments, node.args):
            if argument.alias_info is not None and argument.alias_info.is_write and isinstance(value, Node):
                producers = collect_producer_nodes(value) or [value]
                names.update(str(producer.target) for producer in producers if producer.op == "get_attr")
    return names


def _may_be_folded(node: Node) -> bool:
    target = node.target
    if not isinstance(target, torch._ops.OpOverload):
        return callable(target) and target.__module__ == "_operator"  # getitem of a list of tensors
    if "dequantize" in target.__name__ or str(target) == "quantized_decomposed.convert_element_type.no_fuse":
        return False
    return not target._schema.is_mutable and torch.Tag.nondeterministic_seeded not in target.tags


def replace_node_with_constant(
    gm: GraphModule, node: Node, constant: torch.Tensor | None = None, name: str | None = None
) -> None:
    """Users of `node` read `constant` instead, a buffer called `name` (``_frozen_param<i>``) that takes over its name.

    constant: None makes an input of that name of it.
    """
    target = name or get_new_attr_name_with_prefix("_frozen_param")(gm)
    if constant is not None:
        gm.register_buffer(target, constant)
    with gm.graph.inserting_before(node):
        replacement = gm.graph.create_node("get_attr" if constant is not None else "placeholder", target)
    node.replace_all_uses_with(replacement)
    replacement.meta.update(node.meta)
    taken = node.name
    gm.graph.erase_node(node)
    replacement.name = taken
