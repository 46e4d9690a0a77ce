"""Fake quantization per tensor and per channel, differentiable. The arithmetic is the core's (qdq/fake_quantize.h).

Values of other devices, and those that a tracer follows, take torch's operators: a graph needs an operator.
"""

from __future__ import annotations

from typing import Any

import torch

from qdq import _core

from ._bridge.tensors import core_tensor, torch_tensor


def runs_in_core(x: torch.Tensor) -> bool:
    """Whether x is memory of this machine that no tracer follows."""
    return (
        type(x) in (torch.Tensor, torch.nn.Parameter)
        and x.device.type == "cpu"
        and x.layout is torch.strided
        and not torch.compiler.is_compiling()
        and torch._C._len_torch_dispatch_stack() == 0
        and not torch.jit.is_tracing()
    )


def _like(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Memory for values and mask."""
    return torch.empty_like(x, requires_grad=False), torch.empty_like(x, dtype=torch.bool, requires_grad=False)


class _StraightThrough(torch.autograd.Function):
    """The gradient where the mask is set."""

    @staticmethod
    def forward(ctx, gradient, inside):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(inside)
        result = torch.empty_like(gradient, requires_grad=False)
        _core._fake_quantize_backward(gradient.detach(), inside, result)
        return result

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def, override]
        return _StraightThrough.apply(gradient, *ctx.saved_tensors), None


class _FakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, ch_axis, quant_min, quant_max):  # type: ignore[no-untyped-def]
        values, inside = _like(x)
        _core._fake_quantize(
            x.detach(), scale.detach(), zero_point.detach(), ch_axis, quant_min, quant_max, values, inside
        )
        ctx.save_for_backward(inside)
        return values

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def, override]
        return _StraightThrough.apply(gradient, *ctx.saved_tensors), None, None, None, None, None


def fake_quantize(
    x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, ch_axis: int | None, quant_min: int, quant_max: int
) -> torch.Tensor:
    """Quantized and dequantized, of x's dtype; the gradient of a clipped value is 0, that of others goes straight through.

    ch_axis: None for one scale; else scale and zero_point have an element for each index of that dimension.
    """
    if runs_in_core(x):
        return _FakeQuantize.apply(x, scale, zero_point, ch_axis, quant_min, quant_max)
    if ch_axis is None:
        return torch.fake_quantize_per_tensor_affine(x, scale, zero_point, quant_min, quant_max)
    return torch.fake_quantize_per_channel_affine(x, scale, zero_point, ch_axis, quant_min, quant_max)


class ObserveAndFakeQuantize(torch.autograd.Function):
    """apply(x, quantizer, observe): what the core's _MovingAverageFakeQuantizer does, in one call."""

    @staticmethod
    def forward(ctx, x, quantizer, observe):  # type: ignore[no-untyped-def]
        values, inside = _like(x)
        quantizer.fake_quantize(x.detach(), observe, values, inside)
        ctx.save_for_backward(inside)
        return values

    @staticmethod
    def backward(ctx, gradient):  # type: ignore[no-untyped-def, override]
        return _StraightThrough.apply(gradient, *ctx.saved_tensors), None, None


def _rounded(zero_point: torch.Tensor, ch_axis: int | None, quant_min: int, quant_max: int) -> torch.Tensor:
    """A trained zero point as the forward pass takes it; ties go to even per tensor and up per channel, as in torch."""
    if ch_axis is None:
        return zero_point.detach().round().clamp(quant_min, quant_max).int()
    return (zero_point.detach() + 0.5).clamp(quant_min, quant_max).floor().int()


class _LearnableFakeQuantize(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale, zero_point, ch_axis, quant_min, quant_max, factor):  # type: ignore[no-untyped-def]
        levels = _rounded(zero_point, ch_axis, quant_min, quant_max)
        values, inside = _like(x)
        _core._fake_quantize(x.detach(), scale.detach(), levels, ch_axis, quant_min, quant_max, values, inside)
        ctx.save_for_backward(x, scale, levels)
        ctx.rest = ch_axis, quant_min, quant_max, factor
        return values

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient) -> Any:  # type: ignore[no-untyped-def, override]
        x, scale, levels = ctx.saved_tensors
        ch_axis, quant_min, quant_max, factor = ctx.rest
        result = torch.empty_like(gradient)
        for_scale, for_zero_point = _core._fake_quantize_learnable_backward(
            gradient, core_tensor(x), core_tensor(scale), levels, ch_axis, quant_min, quant_max, factor, result
        )
        return result, torch_tensor(for_scale), torch_tensor(for_zero_point), None, None, None, None


def fake_quantize_learnable(
    x: torch.Tensor, scale: torch.Tensor, zero_point: torch.Tensor, ch_axis: int | None, quant_min: int, quant_max: int,
    factor: float,
) -> torch.Tensor:  # fmt: skip
    """As fake_quantize; scale and zero_point (float32) get gradients too, times `factor`."""
    if runs_in_core(x):
        return _LearnableFakeQuantize.apply(x, scale, zero_point, ch_axis, quant_min, quant_max, factor)
    if ch_axis is None:
        return torch._fake_quantize_learnable_per_tensor_affine(x, scale, zero_point, quant_min, quant_max, factor)
    return torch._fake_quantize_learnable_per_channel_affine(
        x, scale, zero_point, ch_axis, quant_min, quant_max, factor
    )
