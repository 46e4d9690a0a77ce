"""Where a quantized model departs from its original: values are logged at the nodes that both have."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node
from torch.nn import functional as F

from .graph_utils import bfs_trace_with_node_process

__all__ = [
    "CUSTOM_KEY",
    "FROM_NODE_KEY",
    "NUMERIC_DEBUG_HANDLE_KEY",
    "NodeAccuracySummary",
    "NodeSourceDebugInfo",
    "OutputLogger",
    "QuantizationComparisonResult",
    "compare_results",
    "extract_results_from_loggers",
    "generate_numeric_debug_handle",
    "prepare_for_propagation_comparison",
]

CUSTOM_KEY = "custom"
FROM_NODE_KEY = "from_node"
NUMERIC_DEBUG_HANDLE_KEY = "numeric_debug_handle"
_UNLIFT = "ExportedProgram.module().unlift()"  # nodes that this pass made come from no op of the model


@dataclass(frozen=True)
class NodeSourceDebugInfo:
    """The node of the exported program that a node comes from."""

    name: str
    graph_id: int


def _extract_node_source_debug_info(node: Node) -> NodeSourceDebugInfo | None:
    """The oldest ancestor; None for inputs, outputs and nodes that come from nowhere."""
    if node.op in ("placeholder", "output") or not node.meta.get(FROM_NODE_KEY):
        return None
    source = node.meta[FROM_NODE_KEY][-1]
    if source.pass_name == _UNLIFT:
        return None
    while source.from_node:
        source = source.from_node[-1]
    return NodeSourceDebugInfo(source.name, source.graph_id)


def generate_numeric_debug_handle(ep: ExportedProgram) -> None:
    """Numbers the nodes, under ``node.meta["custom"]["numeric_debug_handle"]``: from 1, or from the largest number there is."""
    if not isinstance(ep, ExportedProgram):
        raise ValueError(f"an ExportedProgram expected, found {type(ep).__name__}")
    largest = 0

    def find(node: Node) -> None:
        nonlocal largest
        largest = max(largest, node.meta.get(CUSTOM_KEY, {}).get(NUMERIC_DEBUG_HANDLE_KEY, 0))

    def number(node: Node) -> None:
        nonlocal largest
        custom = node.meta.setdefault(CUSTOM_KEY, {})
        if NUMERIC_DEBUG_HANDLE_KEY not in custom:
            largest += 1
            custom[NUMERIC_DEBUG_HANDLE_KEY] = largest

    bfs_trace_with_node_process(ep, find)
    bfs_trace_with_node_process(ep, number)


def _detached(value: Any) -> Any:
    return torch.utils._pytree.tree_map_only(torch.Tensor, lambda tensor: tensor.detach().clone(), value)


class OutputLogger(torch.nn.Module):
    """Keeps a copy of what goes through, in `stats`."""

    _is_impure = True

    def __init__(
        self, debug_info: NodeSourceDebugInfo, node_name: str | None = None, nn_module_stack: object | None = None
    ) -> None:
        super().__init__()
        self.node_name = node_name
        self.nn_module_stack = nn_module_stack
        self.debug_info = debug_info
        self.stats: list[object] = []

    def forward(self, x: object) -> object:
        self.stats.append(_detached(x))
        return x


def prepare_for_propagation_comparison(model: GraphModule) -> GraphModule:
    """A copy of the model with a logger behind every node that comes from an op of the exported program."""
    model = copy.deepcopy(model)
    for node in list(model.graph.nodes):
        debug_info = _extract_node_source_debug_info(node)
        if debug_info is None:
            continue
        number = 0
        while hasattr(model, f"{node.name}_logger{number}"):
            number += 1
        name = f"{node.name}_logger{number}"
        setattr(model, name, OutputLogger(debug_info, node.name, node.meta.get("nn_module_stack")))
        with model.graph.inserting_after(node):
            logger = model.graph.create_node("call_module", name, (node,))
        node.replace_all_uses_with(logger, delete_user_cb=lambda user, logger=logger: user is not logger)
    model.recompile()
    return model


@dataclass(frozen=True)
class QuantizationComparisonResult:
    """One value of the quantized model beside that of the original."""

    actual: torch.Tensor
    ref: torch.Tensor

    def __post_init__(self) -> None:
        if not isinstance(self.actual, (torch.Tensor, list, tuple)):
            raise ValueError(f"a tensor, or a list of tensors, expected; found {type(self.actual).__name__}")
        if isinstance(self.actual, torch.Tensor) and self.actual.shape != getattr(self.ref, "shape", None):
            raise ValueError(f"equal shapes expected, found {self.actual.shape} and {getattr(self.ref, 'shape', None)}")

    @property
    def mse_loss(self) -> Any:
        return self.loss(F.mse_loss)

    @property
    def sqnr(self) -> Any:
        """20 log10(|ref| / |ref - actual|), in dB."""
        return self.loss(lambda actual, ref: 20 * torch.log10(ref.norm() / (ref - actual).norm()))

    def loss(self, loss_function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> Any:
        """loss_function(actual, ref) in float32, of each tensor where there are several."""
        if isinstance(self.actual, torch.Tensor):
            return loss_function(self.actual.to(torch.float32), self.ref.to(torch.float32))
        return [
            loss_function(actual.to(torch.float32), ref.to(torch.float32)) for actual, ref in zip(self.actual, self.ref)
        ]


@dataclass(frozen=True)
class NodeAccuracySummary:
    """The values of one node in both models."""

    debug_info: NodeSourceDebugInfo
    actual_node_name: str
    actual_module_stack: str
    ref_node_name: str
    ref_module_stack: str
    results: Sequence[QuantizationComparisonResult]


Results = dict[NodeSourceDebugInfo, tuple[Any, object, list[Any]]]


def extract_results_from_loggers(model: GraphModule) -> Results:
    """What the loggers kept: node name, module stack and values by origin."""
    return {
        module.debug_info: (module.node_name, module.nn_module_stack, module.stats)
        for module in model.modules()
        if isinstance(module, OutputLogger)
    }


def _innermost(stack: Any) -> str:
    return str(list(stack.values())[-1][0]) if stack else str(stack)


def compare_results(ref_results: Results, actual_results: Results) -> dict[NodeSourceDebugInfo, NodeAccuracySummary]:
    """The nodes that both models have, side by side. Raises ValueError for shapes that differ."""
    summaries = {}
    for debug_info, (ref_name, ref_stack, ref_stats) in ref_results.items():
        if debug_info not in actual_results:
            continue
        actual_name, actual_stack, actual_stats = actual_results[debug_info]
        summaries[debug_info] = NodeAccuracySummary(
            debug_info, actual_name or "", _innermost(actual_stack), ref_name or "", _innermost(ref_stack),
            [QuantizationComparisonResult(actual=a, ref=r) for a, r in zip(actual_stats, ref_stats)],
        )  # fmt: skip
    return summaries
