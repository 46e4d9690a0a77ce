"""Fake quantization by blocks, differentiable. The formulas are the core's (qdq/fake_quantize.h)."""

from __future__ import annotations

import torch

import qdq

from ._bridge.tensors import core_tensor, torch_tensor
from ._granularity import ZeroPointDomain


def _limits(dtype: torch.dtype) -> tuple[int, int]:
    info = torch.iinfo(dtype)
    return info.min, info.max


def fake_quantize_affine(
    input: torch.Tensor,
    block_size: tuple[int, ...],
    scale: torch.Tensor,
    zero_point: torch.Tensor | None,
    quant_dtype: torch.dtype,
    quant_min: int | float | None,
    quant_max: int | float | None,
    zero_point_domain: ZeroPointDomain,
) -> torch.Tensor:
    """input of any floating-point dtype; scale and zero_point with an element for each block. Of input's shape and dtype.

    The gradient of a clipped value is 0, that of others goes straight through.
    """
    low, high = _limits(quant_dtype)
    qparams = qdq._core._AffineQParams(
        block_size,
        core_tensor(scale),
        None if zero_point is None else core_tensor(zero_point),
        low if quant_min is None else quant_min,
        high if quant_max is None else quant_max,
        qdq.ZeroPointDomain[zero_point_domain.name],
    )
    return _FakeQuantize.apply(input, qparams)


class _FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, qparams):  # type: ignore[no-untyped-def]
        values, inside = qdq._core._fake_quantize_affine(core_tensor(input), qparams)
        ctx.inside = inside
        ctx.qparams = qparams
        return torch_tensor(values).to(input.device)

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def, override]
        result = qdq._core._fake_quantize_affine_backward(core_tensor(grad), ctx.inside, ctx.qparams)
        return torch_tensor(result).to(grad.device), None
