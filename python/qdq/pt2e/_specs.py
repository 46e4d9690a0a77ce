"""What a Quantizer says about a node: the specs and the annotation (PyTorch's data model)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Union

import torch
from torch.fx import Node

# The tensor that a node produces, or that tensor as one consumer reads it.
EdgeOrNode = Union[Node, tuple[Node, Node]]


class QuantizationSpecBase(ABC):  # noqa: B024  nothing to define: it only groups the specs
    """How to quantize a place."""


def _check_range(quant_min: int | None, quant_max: int | None) -> None:
    if quant_min is not None and quant_max is not None and quant_min > quant_max:
        raise ValueError(f"quant_min <= quant_max expected, found {quant_min} and {quant_max}")


@dataclass(eq=True, frozen=True)
class QuantizationSpec(QuantizationSpecBase):
    """Build a new observer for the place.

    observer_or_fake_quant_ctr: a class of qdq.pt2e.observer or .fake_quantize, or ``Class.with_args(...)``.
    quant_min, quant_max: bounds of the quantized values; None is the observer's default for the dtype.
    ch_axis: the channel dimension of per-channel schemes, counted from 0.

    Raises ValueError for quant_min > quant_max and for a negative ch_axis.
    """

    dtype: torch.dtype
    observer_or_fake_quant_ctr: Any
    quant_min: int | None = None
    quant_max: int | None = None
    qscheme: torch.qscheme | None = None
    ch_axis: int | None = None
    is_dynamic: bool = False

    def __post_init__(self) -> None:
        _check_range(self.quant_min, self.quant_max)
        if self.ch_axis is not None and self.ch_axis < 0:
            raise ValueError(f"ch_axis >= 0 expected, found {self.ch_axis}")


@dataclass(eq=True, frozen=True)
class FixedQParamsQuantizationSpec(QuantizationSpecBase):
    """Scale and zero point that are known beforehand (the output of a sigmoid)."""

    dtype: torch.dtype
    scale: float
    zero_point: int
    quant_min: int | None = None
    quant_max: int | None = None
    qscheme: torch.qscheme | None = None
    is_dynamic: bool = False


@dataclass(eq=True, frozen=True)
class SharedQuantizationSpec(QuantizationSpecBase):
    """The observer of another place, which may be annotated earlier or later."""

    edge_or_node: EdgeOrNode


@dataclass(eq=True, frozen=True)
class DerivedQuantizationSpec(QuantizationSpecBase):
    """Computed from the observers of other places when it is needed (a bias: input scale times weight scale).

    derive_qparams_fn: takes the list of observers, returns (scale, zero_point) as tensors.
    """

    derived_from: list[EdgeOrNode]
    derive_qparams_fn: Callable[[list[Any]], tuple[torch.Tensor, torch.Tensor]]
    dtype: torch.dtype
    quant_min: int | None = None
    quant_max: int | None = None
    qscheme: torch.qscheme | None = None
    ch_axis: int | None = None
    is_dynamic: bool = False


@dataclass
class QuantizationAnnotation:
    """What a quantizer says about one node, under ``node.meta["quantization_annotation"]``.

    input_qspec_map: a spec for each producer, in order; None leaves that input alone.
    allow_implicit_sharing: False keeps the node's inputs out of groups that form by themselves.
    _annotated: for quantizers, to skip what is taken; prepare does not look at it.
    """

    input_qspec_map: dict[Node, QuantizationSpecBase | None] = field(default_factory=dict)
    output_qspec: QuantizationSpecBase | None = None
    allow_implicit_sharing: bool = True
    _annotated: bool = False


class Quantizer(ABC):
    """Decides what is quantized and how, by annotating nodes. prepare_pt2e calls the methods in this order."""

    def transform_for_annotation(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
        """May rewrite the graph; what it returns is used from there on."""
        return model

    @abstractmethod
    def annotate(self, model: torch.fx.GraphModule) -> torch.fx.GraphModule:
        """Writes annotations and changes no edge."""

    @abstractmethod
    def validate(self, model: torch.fx.GraphModule) -> None:
        """May raise for a model that the backend cannot run."""

    def prepare_obs_or_fq_callback(
        self, model: torch.fx.GraphModule, edge_or_node_to_obs_or_fq: dict[EdgeOrNode, Any]
    ) -> None:
        """May replace the observers that are about to be inserted, in place."""
