"""The vocabulary of quantization by blocks: granularities, mapping types (torchao.quantization's names)."""

from __future__ import annotations

import torch

import qdq

from ._affine_fake_quantize import fake_quantize_affine
from ._bridge.granularity import core_granularity
from ._granularity import (
    Granularity,
    MappingType,
    PerAxis,
    PerBlock,
    PerGroup,
    PerRow,
    PerTensor,
    PerToken,
    TorchAODType,
    ZeroPointDomain,
)

__all__ = [
    "Granularity",
    "MappingType",
    "PerAxis",
    "PerBlock",
    "PerGroup",
    "PerRow",
    "PerTensor",
    "PerToken",
    "TorchAODType",
    "ZeroPointDomain",
    "get_block_size",
]


def get_block_size(input_shape: tuple[int, ...], granularity: Granularity) -> tuple[int, ...]:
    """The sizes of a block of a tensor of that shape. Raises InvalidArgumentError where blocks do not divide it."""
    return tuple(qdq.block_size_of(core_granularity(granularity), list(input_shape)))


def _fake_quantize_affine(
    input: torch.Tensor,
    block_size: tuple[int, ...],
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    quant_dtype: torch.dtype,
    quant_min: int | float | None = None,
    quant_max: int | float | None = None,
    zero_point_domain: ZeroPointDomain = ZeroPointDomain.INT,
) -> torch.Tensor:
    """Quantizes and dequantizes by blocks; gradients go straight through, but for clipped values."""
    return fake_quantize_affine(
        input, block_size, scale, zero_point, quant_dtype, quant_min, quant_max, zero_point_domain
    )
