"""Quantizers whose patterns are the core's: the graph is carried over, annotated there, and the annotations come back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Any

import torch

import qdq

from ._bridge.annotations import SpecsToCore, carry_annotations, put_annotations, spec_from_core
from ._bridge.graphs import Crossing
from ._specs import QuantizationAnnotation, Quantizer
from .fake_quantize import for_training
from .quantizer.utils import QuantizationConfig


def config_to_core(config: Any, to_core: SpecsToCore) -> qdq.QuantizationConfig:
    """Any object with the four roles."""
    return qdq.QuantizationConfig(
        to_core(config.input_activation),
        to_core(config.output_activation),
        to_core(config.weight),
        to_core(config.bias),
        bool(getattr(config, "is_qat", False)),
    )


def config_from_core(config: qdq.QuantizationConfig, is_qat: bool = False, make: Any = QuantizationConfig) -> Any:
    """The core's configuration with observer modules, or with fake quantizers around them."""
    done: dict[tuple[Any, ...], Any] = {}

    def spec(core: qdq.QuantizationSpec | None) -> Any:
        return None if core is None else spec_from_core(core, done)

    roles = [spec(config.input_activation), spec(config.output_activation), spec(config.weight), spec(config.bias)]
    if is_qat:
        made = {id(role): for_training(role) for role in roles}
        roles = [made[id(role)] for role in roles]
    return make(*roles, is_qat)


def annotate_with(
    model: torch.fx.GraphModule,
    annotate: Callable[[Crossing, SpecsToCore], Any],
    make: Callable[..., Any] = QuantizationAnnotation,
) -> Any:
    """Carries the graph and its annotations to the core, annotates there and brings the annotations back."""
    crossing = Crossing(model)
    to_core = carry_annotations(crossing, for_prepare=True)
    result = annotate(crossing, to_core)
    put_annotations(crossing, make)
    return crossing, result


class CoreQuantizer(Quantizer):
    """Base of the quantizers that come with qdq."""

    _annotation: type[QuantizationAnnotation] = QuantizationAnnotation

    @abstractmethod
    def _core_quantizer(self, to_core: SpecsToCore) -> qdq.Quantizer:
        """The core's quantizer with this one's settings."""

    def annotates_in_core(self) -> bool:
        """Whether annotating the core's graph is all that this quantizer does: no method of it is overridden."""
        kind = type(self)
        return (
            kind.transform_for_annotation is CoreQuantizer.transform_for_annotation
            and kind.annotate is CoreQuantizer.annotate
            and kind.validate is CoreQuantizer.validate
        )

    def transform_for_annotation(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
        crossing = Crossing(model)
        quantizer = self._core_quantizer(SpecsToCore(crossing))
        quantizer.transform_for_annotation(crossing.program)
        if crossing.put_back(crossing.program.graph, crossing.program.attributes):
            model.recompile()
        return model

    def annotate(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
        annotate_with(
            model,
            lambda crossing, to_core: self._core_quantizer(to_core).annotate(crossing.program),
            self._annotation,
        )
        return model

    def validate(self, model: torch.fx.GraphModule) -> None:
        """Every model is accepted."""
