"""Finding patterns by the modules and functions that they came from."""

from __future__ import annotations

import itertools
import operator
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch.export import ExportedProgram
from torch.fx import Node
from torch.fx.passes.utils.source_matcher_utils import SourcePartition, check_subgraphs_connected, get_source_partitions

__all__ = [
    "bfs_trace_with_node_process",
    "collect_producer_nodes",
    "find_sequential_partitions",
    "get_equivalent_types",
    "update_equivalent_types_dict",
]

_equivalent_types: list[set[Any]] = [
    {torch.nn.Conv1d, F.conv1d},
    {torch.nn.Conv2d, F.conv2d},
    {torch.nn.AdaptiveAvgPool2d, F.adaptive_avg_pool2d},
    {torch.nn.ReLU, F.relu, F.relu_},
    {torch.nn.BatchNorm2d, F.batch_norm},
    {torch.nn.Hardtanh, F.hardtanh, F.hardtanh_},
    {torch.add, operator.add, operator.iadd, "add", "add_"},
    {torch.mul, operator.mul, operator.imul, "mul", "mul_"},
]
# The argument of control-flow ops that hold a body.
_BODIES = {"cond": (1, 2), "map_impl": (0,), "scan": (0,), "while_loop": (1,)}


def get_equivalent_types() -> list[set[Any]]:
    """Modules and functions that count as one."""
    return _equivalent_types


def update_equivalent_types_dict(customized_equivalent_types: list[set[Any]] | None = None) -> None:
    """Replaces the table. Raises ValueError for None."""
    global _equivalent_types
    if customized_equivalent_types is None:
        raise ValueError("a list of sets of equivalent types expected, found None")
    _equivalent_types = customized_equivalent_types


def _matching_types(partition_type: Any) -> list[Any]:
    matching = [partition_type]
    for group in _equivalent_types:
        if partition_type in group:
            matching += [kind for kind in group if kind != partition_type]
    return matching


def find_sequential_partitions(
    gm: torch.fx.GraphModule,
    partition_types: list[Any],
    include_functional_equivalent: bool = True,
    filter_fn: Callable[[Node], bool] | None = None,
) -> list[tuple[SourcePartition, ...]]:
    """Partitions of these types, one after the other in the graph. Raises ValueError for two equivalent types."""
    candidates: OrderedDict[Any, list[SourcePartition]] = OrderedDict()
    for kind in partition_types:
        matching = _matching_types(kind)
        if kind in candidates or any(other in candidates for other in matching):
            raise ValueError(f"types that are not equivalent to each other expected, found {partition_types}")
        found = get_source_partitions(gm.graph, matching if include_functional_equivalent else [kind], filter_fn)
        candidates[kind] = list(itertools.chain.from_iterable(found.values()))
    return [
        fused
        for fused in itertools.product(*candidates.values())
        if all(check_subgraphs_connected(first, second) for first, second in itertools.pairwise(fused))
    ]


def bfs_trace_with_node_process(
    model: ExportedProgram | torch.fx.GraphModule, node_op: Callable[[Node], None]
) -> None:
    """Calls node_op for every node but inputs and outputs, and then in the bodies of control flow."""
    queue = [model.graph_module if isinstance(model, ExportedProgram) else model]
    while queue:
        current = queue.pop(0)
        for node in current.graph.nodes:
            if node.op in ("output", "placeholder"):
                continue
            node_op(node)
            if node.op == "call_function" and isinstance(node.target, torch._ops.HigherOrderOperator):
                for position in _BODIES.get(node.target.name(), ()):
                    queue.append(getattr(current, node.args[position].target))


def collect_producer_nodes(node: Node) -> list[Node] | None:
    """The node and everything that it is computed from; None when an input of the graph is among it."""
    nodes = [node]
    frontier = [node]
    while frontier:
        current = frontier.pop()
        for producer in current.all_input_nodes:
            if producer.op == "placeholder":
                return None
            if producer not in nodes:
                nodes.append(producer)
                frontier.append(producer)
    return nodes
