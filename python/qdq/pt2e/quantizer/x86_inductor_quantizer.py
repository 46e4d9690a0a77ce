"""PyTorch's X86InductorQuantizer, over the core's."""

from __future__ import annotations

import functools
from typing import Any

import qdq

from .._core_quantizer import config_from_core
from .._inductor_quantizer import InductorAnnotation as _X86InductorQuantizationAnnotation
from .._inductor_quantizer import InductorQuantizer
from .quantizer import Q_ANNOTATION_KEY
from .utils import QuantizationConfig

__all__ = [
    "QUANT_ANNOTATION_KEY",
    "X86InductorQuantizer",
    "_X86InductorQuantizationAnnotation",
    "get_default_x86_inductor_quantization_config",
    "get_x86_inductor_linear_dynamic_fp16_config",
]

QUANT_ANNOTATION_KEY = Q_ANNOTATION_KEY


@functools.lru_cache
def get_default_x86_inductor_quantization_config(
    is_qat: bool = False, is_dynamic: bool = False, reduce_range: bool = False
) -> QuantizationConfig:
    """uint8 affine activations, int8 weights symmetric per output channel. reduce_range: activations of 7 bits."""
    return config_from_core(qdq.x86_config(is_dynamic, reduce_range), is_qat)


@functools.lru_cache
def get_x86_inductor_linear_dynamic_fp16_config() -> QuantizationConfig:
    """Weights in float16, all else in float32."""
    return config_from_core(qdq.x86_linear_dynamic_fp16_config())


class X86InductorQuantizer(InductorQuantizer):
    """Convolutions and linears with an addition and an activation behind them; pooling, cat and flatten in between."""

    def _new_core_quantizer(self) -> Any:
        return qdq.X86Quantizer()
