"""XNNPACK's annotators, one per pattern, and their configuration. The patterns are the core's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Node

import qdq

from .._core_quantizer import annotate_with, config_to_core
from .quantizer import Q_ANNOTATION_KEY
from .utils import (
    OperatorConfig,
    OperatorPatternType,
    QuantizationConfig,
    get_bias_qspec,
    get_input_act_qspec,
    get_output_act_qspec,
    get_weight_qspec,
)

__all__ = [
    "OP_TO_ANNOTATOR",
    "OperatorConfig",
    "OperatorPatternType",
    "QuantizationConfig",
    "get_bias_qspec",
    "get_input_act_qspec",
    "get_output_act_qspec",
    "get_weight_qspec",
    "propagate_annotation",
]

NodeFilter = Callable[[Node], bool]
AnnotatorType = Callable[..., "list[list[Node]] | None"]


def _is_annotated(nodes: list[Node]) -> bool:
    """True when a quantizer has taken one of the nodes."""
    return any(Q_ANNOTATION_KEY in node.meta and node.meta[Q_ANNOTATION_KEY]._annotated for node in nodes)


IN_FLOAT = QuantizationConfig(None, None, None, None)


def _annotator(name: str) -> AnnotatorType:
    def annotate(
        gm: torch.fx.GraphModule, quantization_config: Any, filter_fn: NodeFilter | None = None
    ) -> list[list[Node]] | None:
        def run(crossing: Any, to_core: Any) -> list[list[qdq.Node]]:
            core_filter = None if filter_fn is None else (lambda node: bool(filter_fn(crossing.fx_of[node])))
            config = config_to_core(quantization_config or IN_FLOAT, to_core)
            return qdq.annotate_op(name, crossing.program, config, core_filter)

        crossing, partitions = annotate_with(gm, run)
        return [[crossing.fx_of[node] for node in partition] for partition in partitions]

    annotate.__name__ = annotate.__qualname__ = f"annotate_{name}"
    annotate.__doc__ = (
        f"Annotates what is free and matches '{name}', with a configuration of None as taken and in float. Returns the nodes of "
        "each match, the output first."
    )
    return annotate


# By name, fusions before their parts.
OP_TO_ANNOTATOR: dict[str, AnnotatorType] = {name: _annotator(name) for name in qdq.op_annotators()}


def propagate_annotation(model: torch.fx.GraphModule) -> None:
    """Ops that only pass values on take over the output spec of their annotated producer."""
    annotate_with(model, lambda crossing, _: qdq.propagate_annotation(crossing.program))
