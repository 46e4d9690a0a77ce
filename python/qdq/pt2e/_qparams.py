"""Scale, zero point and bounds from minima and maxima, as functions of tensors: for observers that users write."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from .observer import PlaceholderObserver, _is_per_channel

_SYMMETRIC = (torch.per_tensor_symmetric, torch.per_channel_symmetric)
_PER_TENSOR = (torch.per_tensor_affine, torch.per_tensor_symmetric)
_FULL_RANGES = {
    torch.int8: (-128, 127), torch.qint8: (-128, 127), torch.uint8: (0, 255), torch.quint8: (0, 255),
    torch.int16: (-(2**15), 2**15 - 1), torch.uint16: (0, 2**16 - 1), torch.int32: (-(2**31), 2**31 - 1),
    torch.qint32: (-(2**31), 2**31 - 1),
}  # fmt: skip
_REDUCED_RANGES = {torch.int8: (-64, 63), torch.qint8: (-64, 63), torch.uint8: (0, 127), torch.quint8: (0, 127)}
_FOUR_BITS = (0, 15)
_LEVELS = {torch.int8: 2**8, torch.qint8: 2**8, torch.int32: 2**32, torch.qint32: 2**32}


def check_min_max_valid(min_val: torch.Tensor, max_val: torch.Tensor) -> bool:
    """Whether something was observed; warns where nothing was. Raises AssertionError for a minimum above its maximum, or NaN."""
    is_scalar = min_val.dim() == 0 or max_val.dim() == 0
    fresh = min_val.numel() == 0 or max_val.numel() == 0
    fresh = fresh or (is_scalar and bool(min_val == float("inf")) and bool(max_val == float("-inf")))
    if fresh:
        warnings.warn("nothing was observed: scale 1 and zero_point 0", stacklevel=2)
        return False
    if not bool(torch.all(min_val <= max_val)):
        raise AssertionError(f"minima that are not above the maxima expected, found {min_val} and {max_val}")
    return True


def validate_qmin_qmax(quant_min: int, quant_max: int) -> None:
    """Raises AssertionError unless quant_min <= 0 <= quant_max and they differ."""
    if not quant_min <= 0 <= quant_max:
        raise AssertionError(f"a range that includes 0 expected, found {quant_min} to {quant_max}")
    if quant_min == quant_max:
        raise AssertionError(f"quant_min below quant_max expected, found {quant_min} for both")


def calculate_qmin_qmax(
    quant_min: int, quant_max: int, has_customized_qrange: bool, dtype: torch.dtype, reduce_range: bool
) -> tuple[int, int]:
    """The bounds of quantized values: the custom ones, or those of the dtype; with `reduce_range` one bit less of 8."""
    if not has_customized_qrange:
        ranges = {**_FULL_RANGES, **_REDUCED_RANGES} if reduce_range else _FULL_RANGES
        return ranges.get(dtype, _FOUR_BITS)
    levels = _LEVELS.get(dtype)
    if levels is not None and not 0 < quant_max - quant_min + 1 <= levels:
        raise AssertionError(f"{dtype}: 1 to {levels} levels expected, found the range {quant_min} to {quant_max}")
    return (quant_min // 2, quant_max // 2) if reduce_range else (quant_min, quant_max)


def determine_qparams(
    min_val: torch.Tensor,
    max_val: torch.Tensor,
    quant_min: int,
    quant_max: int,
    dtype: torch.dtype,
    eps: torch.Tensor,
    has_customized_qrange: bool,
    qscheme: torch.qscheme = torch.per_tensor_affine,
) -> tuple[torch.Tensor, torch.Tensor]:
    """(scale, zero_point) of bounds: float64 and int64 of shape [1], or [channels]; 1 and 0 where nothing was observed.

    scale = (max - min) / (quant_max - quant_min) over a range that includes 0, at least eps, and zero_point = quant_min -
    round(min / scale); the symmetric schemes take the larger side twice and the middle of the range, and
    per_channel_affine_float_qparams the range as it is, with a zero point that is not rounded before its conversion.
    """
    if not check_min_max_valid(min_val, max_val):
        return torch.tensor([1.0], device=min_val.device), torch.tensor([0], device=min_val.device)
    levels = float(quant_max - quant_min)
    eps = eps.to(min_val.device)
    low = torch.minimum(min_val, torch.zeros_like(min_val))
    high = torch.maximum(max_val, torch.zeros_like(max_val))
    if qscheme in _SYMMETRIC:
        scale = torch.maximum(torch.maximum(-low, high) / (levels / 2), eps)
        middle = 0
        if dtype in (torch.uint8, torch.quint8):
            middle = (quant_min + quant_max) // 2 if has_customized_qrange else 128
        zero_point = torch.full_like(low, middle, dtype=torch.int64)
    elif qscheme == torch.per_channel_affine_float_qparams:
        scale = (max_val - min_val) / levels
        scale = torch.where(scale > eps, scale, torch.ones_like(scale))
        zero_point = -1 * min_val / scale
    else:
        scale = torch.maximum((high - low) / levels, eps)
        zero_point = (quant_min - torch.round(low / scale).to(torch.int)).clamp(quant_min, quant_max)
    return torch.atleast_1d(scale).to(torch.double), torch.atleast_1d(zero_point).to(torch.int64)


def get_qparam_dict(observer_or_fake_quant: Any) -> dict[str, Any]:
    """What an observer has to say of its tensor: qscheme (an affine one), dtype, and where it has them axis, scale, zero_point,
    quant_min and quant_max. Raises RuntimeError for a qscheme that is neither per tensor nor per channel."""
    qscheme = getattr(observer_or_fake_quant, "qscheme", None)
    qparams = {"qscheme": None, "dtype": observer_or_fake_quant.dtype}
    if not qscheme or isinstance(observer_or_fake_quant, PlaceholderObserver):
        return qparams
    if qscheme in _PER_TENSOR:
        qparams["qscheme"] = torch.per_tensor_affine
    elif _is_per_channel(qscheme):
        qparams["qscheme"] = torch.per_channel_affine if qscheme == torch.per_channel_symmetric else qscheme
        qparams["axis"] = observer_or_fake_quant.ch_axis
    else:
        raise RuntimeError(f"a qscheme per tensor or per channel expected, found {qscheme}")
    qparams["scale"], qparams["zero_point"] = observer_or_fake_quant.calculate_qparams()
    for bound in ("quant_min", "quant_max"):
        if hasattr(observer_or_fake_quant, bound):
            qparams[bound] = getattr(observer_or_fake_quant, bound)
    return qparams
