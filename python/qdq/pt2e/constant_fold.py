"""Weights stored quantized instead of being quantized in every run. The pass is the core's."""

from __future__ import annotations

import torch
from torch.fx import GraphModule, Node

from ._passes import CorePass
from .utils import get_new_attr_name_with_prefix

__all__ = ["constant_fold", "replace_node_with_constant"]


class _FoldConstants(CorePass):
    _name = "fold_constants"


def constant_fold(gm: GraphModule) -> None:
    """Replaces, in place, every quantize whose input comes from parameters and buffers alone by its result.

    The result is a buffer ``_frozen_param<i>``; its node keeps name and metadata of the quantize. Other constants, and
    buffers that the graph writes to, stay.
    """
    _FoldConstants()(gm)


def replace_node_with_constant(gm: GraphModule, node: Node, constant: torch.Tensor, name: str | None = None) -> None:
    """Users of `node` read `constant` instead, a buffer called `name` (``_frozen_param<i>``) that takes over its name."""
    target = name or get_new_attr_name_with_prefix("_frozen_param")(gm)
    gm.register_buffer(target, constant)
    with gm.graph.inserting_before(node):
        replacement = gm.graph.create_node("get_attr", target)
    node.replace_all_uses_with(replacement)
    replacement.meta.update(node.meta)
    taken = node.name
    gm.graph.erase_node(node)
    replacement.name = taken
