"""Fake quantization by blocks, differentiable: the gradient of a clipped value is 0, of others it goes straight through."""

from __future__ import annotations

import torch

from .quant_primitives import ZeroPointDomain


def _blocks(sizes: tuple[int, ...], block_size: tuple[int, ...]) -> tuple[list[int], list[int]]:
    """The shape with every divided dimension as (blocks, block), and that of the scales against it."""
    view: list[int] = []
    scales: list[int] = []
    for size, block in zip(sizes, block_size):
        if block == size:
            view.append(size)
            scales.append(1)
        elif block == 1:
            view.append(size)
            scales.append(size)
        else:
            view += [size // block, block]
            scales += [size // block, 1]
    return view, scales


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
    """input of any floating-point dtype; scale and zero_point with an element for each block. Of input's shape and dtype."""
    low, high = _limits(quant_dtype)
    low = low if quant_min is None else int(quant_min)
    high = high if quant_max is None else int(quant_max)
    view, scales = _blocks(tuple(input.shape), block_size)
    x = input.reshape(view)
    wide = x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
    s = scale.reshape(scales)
    z = None if zero_point is None else zero_point.reshape(scales)
    if zero_point_domain is ZeroPointDomain.FLOAT:
        assert z is not None
        middle = (high + low + 1) / 2
        steps = torch.round((wide - (z - s * middle)) / s)
        quantized = steps.clamp(low, high)
        result = (quantized - middle) * s + z
    else:
        steps = torch.round(wide * (1.0 / s)) + (0 if z is None else z)
        quantized = steps.clamp(low, high)
        result = (quantized - (0 if z is None else z)) * s
    inside = (steps >= low) & (steps <= high)
    return _StraightThrough.apply(x, result.detach().to(input.dtype), inside, s.detach()).reshape(input.shape)


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, input, quantized, inside, scale):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(inside, scale)
        return quantized

    @staticmethod
    def backward(ctx, grad):  # type: ignore[no-untyped-def, override]
        inside, scale = ctx.saved_tensors
        # Times the scale and back, as differentiating the formula gives it: the last bit depends on it.
        return ((grad * scale) * (1.0 / scale) * inside).to(grad.dtype), None, None, None
