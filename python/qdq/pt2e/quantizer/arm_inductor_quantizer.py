"""PyTorch's ArmInductorQuantizer, over the core's."""

from __future__ import annotations

import functools
from typing import Any

import qdq

from .._core_quantizer import config_from_core
from .._inductor_quantizer import InductorQuantizer
from .utils import QuantizationConfig

__all__ = ["ArmInductorQuantizer", "get_default_arm_inductor_quantization_config"]


@functools.lru_cache
def get_default_arm_inductor_quantization_config(is_qat: bool = False, is_dynamic: bool = False) -> QuantizationConfig:
    """int8 affine activations, int8 weights symmetric per tensor."""
    return config_from_core(qdq.arm_config(is_dynamic), is_qat)


class ArmInductorQuantizer(InductorQuantizer):
    """Convolutions with an addition, linears with an activation, matmul on request."""

    def _new_core_quantizer(self) -> Any:
        return qdq.ArmQuantizer()
