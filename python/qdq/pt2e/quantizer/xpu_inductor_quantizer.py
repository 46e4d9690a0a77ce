"""PyTorch's XPUInductorQuantizer, over the core's."""

from __future__ import annotations

import functools
from typing import Any

import qdq

from .._core_quantizer import config_from_core
from .._inductor_quantizer import InductorQuantizer
from .utils import QuantizationConfig

__all__ = ["XPUInductorQuantizer", "get_default_xpu_inductor_quantization_config"]


@functools.lru_cache
def get_default_xpu_inductor_quantization_config() -> QuantizationConfig:
    """int8 affine activations, int8 weights symmetric per output channel."""
    return config_from_core(qdq.xpu_config())


class XPUInductorQuantizer(InductorQuantizer):
    """As x86, without max pooling."""

    def _new_core_quantizer(self) -> Any:
        return qdq.XpuQuantizer()
