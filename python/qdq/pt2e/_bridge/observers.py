"""Observer modules as the core sees them, and the core's observers as modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

import qdq
from qdq import typing

from .. import observer
from .dtypes import core_dtype, core_qscheme, torch_dtype, torch_qscheme
from .granularity import core_granularity
from .tensors import core_tensor


class ModuleObserver(qdq.Observer):
    """An observer or fake-quantizer module, for the core to ask. The module itself runs in torch."""

    def __init__(self, module: torch.nn.Module) -> None:
        affine = affine_config(module)
        dtype = getattr(module, "target_dtype", None) or getattr(module, "dtype", torch.float32)
        qscheme = getattr(module, "qscheme", None)
        super().__init__(
            core_dtype(dtype),
            core_qscheme(qscheme if qscheme is not None else torch.per_tensor_affine),
            *_bounds(module, core_dtype(dtype)),
            _channel_axis(module),
            bool(getattr(module, "is_dynamic", False)),
            _eps(module),
            type(module).__name__,
            affine,
        )
        self.module = module

    def observe(self, value: typing.ArrayLike) -> None:
        raise RuntimeError("an observer module observes when torch runs it")

    def has_observed(self) -> bool:
        return True  # one that has not warns and answers scale 1, as PyTorch's do

    def calculate_qparams(self) -> tuple[qdq.Tensor, qdq.Tensor | None]:
        scale, zero_point = self.module.calculate_qparams()
        return core_tensor(_as_tensor(scale)), None if zero_point is None else core_tensor(_as_tensor(zero_point))


def _as_tensor(value: Any) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else torch.tensor([value])


def _bounds(module: torch.nn.Module, dtype: qdq.DType) -> tuple[int, int]:
    low, high = getattr(module, "quant_min", None), getattr(module, "quant_max", None)
    if low is None or high is None:  # a placeholder that was given none has those of its dtype
        default = qdq.ObserverFactory("PlaceholderObserver")(qdq.ObserverOptions(dtype=dtype))
        low = default.quant_min if low is None else low
        high = default.quant_max if high is None else high
    return int(low), int(high)


def _channel_axis(module: torch.nn.Module) -> int | None:
    axis = getattr(module, "ch_axis", None)
    return None if axis is None or axis < 0 else int(axis)


def _eps(module: torch.nn.Module) -> float:
    eps = getattr(module, "eps", None)
    if eps is None:
        return torch.finfo(torch.float32).eps
    return float(eps)


def affine_config(module: torch.nn.Module) -> qdq.AffineConfig | None:
    """What the core needs to quantize by blocks; None for modules with one scale per tensor or channel."""
    granularity = getattr(module, "granularity", None)
    if granularity is None or not hasattr(module, "mapping_type"):
        return None
    block_size = getattr(module, "block_size", None)
    return qdq.AffineConfig(
        qdq.MappingType[module.mapping_type.name],
        core_dtype(module.target_dtype),
        core_granularity(granularity),
        module.quant_min,
        module.quant_max,
        module.eps,
        _optional_dtype(module.scale_dtype),
        _optional_dtype(module.zero_point_dtype),
        module.preserve_zero,
        qdq.ZeroPointDomain[module.zero_point_domain.name if module.zero_point_domain is not None else "NONE"],
        None if block_size is None else [int(size) for size in block_size],
    )


def _optional_dtype(dtype: torch.dtype | None) -> qdq.DType | None:
    return None if dtype is None else core_dtype(dtype)


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "dtype": torch_dtype,
    "qscheme": torch_qscheme,
    "scale_dtype": torch_dtype,
    "zero_point_dtype": torch_dtype,
}


def options_as_arguments(options: qdq.ObserverOptions) -> dict[str, Any]:
    """The options that are set, under the names and types of the modules' constructors."""
    names = [name for name in dir(options) if not name.startswith("_")]
    given = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return {name: _CONVERT[name](value) if name in _CONVERT else value for name, value in given.items()}


class CoreBuild:
    """A factory of one of the core's observers."""

    def __init__(self, factory: qdq.ObserverFactory) -> None:
        self.kind = factory.kind
        self.defaults = factory.defaults


def observer_constructor(build: CoreBuild) -> Any:
    """``Class.with_args(...)`` for the module of that kind."""
    return getattr(observer, build.kind).with_args(**options_as_arguments(build.defaults))
