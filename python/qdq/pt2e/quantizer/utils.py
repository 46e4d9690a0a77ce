"""Helpers for quantizers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.fx import Node

from .quantizer import Q_ANNOTATION_KEY, QuantizationAnnotation, QuantizationSpec, QuantizationSpecBase

__all__ = [
    "OperatorConfig",
    "OperatorPatternType",
    "QuantizationConfig",
    "annotate_input_qspec_map",
    "annotate_output_qspec",
    "get_bias_qspec",
    "get_input_act_qspec",
    "get_module_name_filter",
    "get_output_act_qspec",
    "get_weight_qspec",
    "is_valid_annotation",
]

OperatorPatternType = list[Callable[..., object]]


@dataclass(eq=True, frozen=True)
class QuantizationConfig:
    """What a backend asks for: a spec for each role; a role that is None stays in float."""

    input_activation: QuantizationSpec | None
    output_activation: QuantizationSpec | None
    weight: QuantizationSpec | None
    bias: QuantizationSpec | None
    is_qat: bool = False


class OperatorConfig(NamedTuple):
    """A configuration and the operators that it is for."""

    config: QuantizationConfig
    operators: list[OperatorPatternType]


_PER_TENSOR = (torch.per_tensor_affine, torch.per_tensor_symmetric)
_WEIGHT_SCHEMES = (torch.per_tensor_symmetric, torch.per_channel_symmetric, None)


def _activation(spec: QuantizationSpec | None) -> QuantizationSpec | None:
    if spec is not None and spec.qscheme not in _PER_TENSOR:
        raise AssertionError(f"a per-tensor scheme expected for an activation, found {spec.qscheme}")
    return spec


def get_input_act_qspec(quantization_config: QuantizationConfig | None) -> QuantizationSpec | None:
    """The spec of input activations. Raises AssertionError unless it is per tensor."""
    return None if quantization_config is None else _activation(quantization_config.input_activation)


def get_output_act_qspec(quantization_config: QuantizationConfig | None) -> QuantizationSpec | None:
    """The spec of output activations. Raises AssertionError unless it is per tensor."""
    return None if quantization_config is None else _activation(quantization_config.output_activation)


def get_weight_qspec(quantization_config: QuantizationConfig | None) -> QuantizationSpec | None:
    """The spec of weights. Raises ValueError unless its scheme is symmetric or None."""
    spec = None if quantization_config is None else quantization_config.weight
    if spec is not None and spec.qscheme not in _WEIGHT_SCHEMES:
        raise ValueError(f"a symmetric scheme expected for a weight, found {spec.qscheme}")
    return spec


def get_bias_qspec(quantization_config: QuantizationConfig | None) -> QuantizationSpec | None:
    """The spec of biases. Raises AssertionError unless its dtype is float."""
    spec = None if quantization_config is None else quantization_config.bias
    if spec is not None and spec.dtype != torch.float:
        raise AssertionError(f"float expected for a bias, found {spec.dtype}")
    return spec


def _annotation_of(node: Node) -> QuantizationAnnotation:
    return node.meta.setdefault(Q_ANNOTATION_KEY, QuantizationAnnotation())


def annotate_input_qspec_map(node: Node, input_node: Node, qspec: QuantizationSpecBase | None) -> None:
    """Sets the spec of one input of `node`, whose annotation is made when it has none."""
    _annotation_of(node).input_qspec_map[input_node] = qspec


def annotate_output_qspec(node: Node, qspec: QuantizationSpecBase | None) -> None:
    """Sets the output spec of `node`, whose annotation is made when it has none."""
    _annotation_of(node).output_qspec = qspec


def get_module_name_filter(module_name: str) -> Callable[[Node], bool]:
    """True for nodes inside the module of that dotted path, at any depth."""

    def is_inside(node: Node) -> bool:
        paths = (path for path, _ in node.meta.get("nn_module_stack", {}).values())
        return any(path.removeprefix("L['self'].") == module_name for path in paths)

    return is_inside


def is_valid_annotation(annotation: QuantizationAnnotation | None) -> bool:
    """False for None and for an annotation without specs."""
    return annotation is not None and (bool(annotation.input_qspec_map) or annotation.output_qspec is not None)
