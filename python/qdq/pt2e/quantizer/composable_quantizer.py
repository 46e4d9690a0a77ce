"""Several quantizers as one."""

from __future__ import annotations

from typing import Any

import torch

from .._bridge.metadata import ANNOTATED_BY
from .quantizer import Q_ANNOTATION_KEY, QuantizationAnnotation, Quantizer

__all__ = ["ComposableQuantizer"]


class ComposableQuantizer(Quantizer):
    """Quantizers in the order given: the first to annotate a node keeps it, so the narrowest comes first.

    Raises RuntimeError when a quantizer replaces or removes the annotation that an earlier one made.
    """

    def __init__(self, quantizers: list[Quantizer]) -> None:
        super().__init__()
        self.quantizers = quantizers
        self._graph_annotations: dict[torch.fx.Node, QuantizationAnnotation] = {}

    def transform_for_annotation(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
        for quantizer in self.quantizers:
            model = quantizer.transform_for_annotation(model)
        return model

    def annotate(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
        for quantizer in self.quantizers:
            quantizer.annotate(model)
            self._record_and_validate_annotations(model, quantizer)
        return model

    def _record_and_validate_annotations(self, gm: torch.fx.GraphModule, quantizer: Quantizer) -> None:
        for node in gm.graph.nodes:
            annotation = node.meta.get(Q_ANNOTATION_KEY)
            recorded = self._graph_annotations.get(node)
            if recorded is not None and annotation is not recorded:
                what = "removed" if annotation is None else "replaced"
                raise RuntimeError(
                    f"Quantizer {type(quantizer).__name__} has {what} the annotation of '{node.name}' ({node.target}), "
                    "which an earlier quantizer made; a quantizer skips nodes that are annotated"
                )
            if annotation is not None:
                if recorded is None and not hasattr(annotation, ANNOTATED_BY):
                    setattr(annotation, ANNOTATED_BY, type(quantizer).__name__)
                self._graph_annotations[node] = annotation

    def validate(self, model: torch.fx.GraphModule) -> None:
        for quantizer in self.quantizers:
            quantizer.validate(model)

    def prepare_obs_or_fq_callback(
        self, model: torch.fx.GraphModule, edge_or_node_to_obs_or_fq: dict[Any, Any]
    ) -> None:
        for quantizer in self.quantizers:
            quantizer.prepare_obs_or_fq_callback(model, edge_or_node_to_obs_or_fq)
