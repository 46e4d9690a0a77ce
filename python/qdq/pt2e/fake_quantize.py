"""Fake quantizers: modules that quantize and dequantize while a model trains; gradients go straight through.

What they compute, and its gradients, is the core's.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import nn

import qdq

from ._affine_fake_quantize import fake_quantize_affine
from ._uniform_fake_quantize import ObserveAndFakeQuantize, fake_quantize, runs_in_core
from ._observer_base import _with_args
from .observer import (
    AffineQuantizedMinMaxObserver,
    FixedQParamsObserver,
    HistogramObserver,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    PartialWrapper,
    PerChannelMinMaxObserver,
    _is_per_channel,
    default_fixed_qparams_range_0to1_observer,
    default_fixed_qparams_range_neg1to1_observer,
)
from .quant_primitives import MappingType, PerAxis, PerGroup, PerTensor

__all__ = [
    "AffineFakeQuantize",
    "FakeQuantize",
    "FakeQuantizeBase",
    "FixedQParamsFakeQuantize",
    "FusedMovingAvgObsFakeQuantize",
    "default_affine_fake_quant",
    "default_affine_fixed_qparams_fake_quant",
    "default_affine_per_axis_fake_quant",
    "default_dynamic_fake_quant",
    "default_embedding_fake_quant",
    "default_embedding_fake_quant_4bit",
    "default_fake_quant",
    "default_fixed_qparams_range_0to1_fake_quant",
    "default_fixed_qparams_range_neg1to1_fake_quant",
    "default_fused_act_fake_quant",
    "default_fused_per_channel_wt_fake_quant",
    "default_fused_wt_fake_quant",
    "default_groupwise_fake_quant",
    "default_histogram_fake_quant",
    "default_per_channel_weight_fake_quant",
    "default_symmetric_fixed_qparams_fake_quant",
    "default_weight_fake_quant",
    "disable_fake_quant",
    "disable_observer",
    "enable_fake_quant",
    "enable_observer",
    "fused_per_channel_wt_fake_quant_range_neg_127_to_127",
    "fused_wt_fake_quant_range_neg_127_to_127",
]

_SYMMETRIC = (torch.per_tensor_symmetric, torch.per_channel_symmetric)


class FakeQuantizeBase(ABC, nn.Module):
    """Two switches, kept as buffers so that they are saved with the model: observe, and fake-quantize."""

    fake_quant_enabled: torch.Tensor
    observer_enabled: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("fake_quant_enabled", torch.tensor([1], dtype=torch.uint8))
        self.register_buffer("observer_enabled", torch.tensor([1], dtype=torch.uint8))

    @abstractmethod
    def forward(self, x: torch.Tensor) -> torch.Tensor: ...

    @abstractmethod
    def calculate_qparams(self, **kwargs: Any) -> Any: ...

    def enable_fake_quant(self, enabled: bool = True) -> None:
        self.fake_quant_enabled[0] = 1 if enabled else 0

    def disable_fake_quant(self) -> None:
        self.enable_fake_quant(False)

    def enable_observer(self, enabled: bool = True) -> None:
        self.observer_enabled[0] = 1 if enabled else 0

    def disable_observer(self) -> None:
        self.enable_observer(False)

    with_args = classmethod(_with_args)


class FakeQuantize(FakeQuantizeBase):
    """x -> (clamp(round(x / scale + zero_point), quant_min, quant_max) - zero_point) * scale, with the observer's scale.

    observer: a class or ``Class.with_args(...)``; observer_kwargs are passed to it.

    Raises AssertionError for bounds outside those of the dtype.
    """

    scale: torch.Tensor
    zero_point: torch.Tensor

    def __init__(
        self, observer: Any = MovingAverageMinMaxObserver, quant_min: int | None = None, quant_max: int | None = None,
        is_dynamic: bool = False, **observer_kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        if quant_min is not None and quant_max is not None:
            _check_bounds(observer, observer_kwargs, quant_min, quant_max)
            observer_kwargs.update(quant_min=quant_min, quant_max=quant_max)
        observer_kwargs["is_dynamic"] = is_dynamic
        self.activation_post_process = observer(**observer_kwargs)
        self.quant_min = self.activation_post_process.quant_min
        self.quant_max = self.activation_post_process.quant_max
        self.is_dynamic = self.activation_post_process.is_dynamic
        self.dtype = self.activation_post_process.dtype
        self.qscheme = self.activation_post_process.qscheme
        self.ch_axis = getattr(self.activation_post_process, "ch_axis", -1)
        self.is_per_channel = _is_per_channel(self.qscheme)
        is_float = self.qscheme == torch.per_channel_affine_float_qparams
        self.register_buffer("scale", torch.tensor([1.0], dtype=torch.float))
        self.register_buffer("zero_point", torch.tensor([0], dtype=torch.float if is_float else torch.int))

    def calculate_qparams(self, **kwargs: Any) -> Any:
        return self.activation_post_process.calculate_qparams()

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        if self.observer_enabled[0] == 1:
            self.activation_post_process(X.detach())
            self._take_qparams(*self.calculate_qparams())
        if self.fake_quant_enabled[0] == 1:
            axis = self.ch_axis if self.is_per_channel else None
            X = fake_quantize(X, self.scale, self.zero_point, axis, self.quant_min, self.quant_max)
        return X

    def _take_qparams(self, scale: torch.Tensor, zero_point: torch.Tensor) -> None:
        with torch.no_grad():
            if self.scale.shape != scale.shape:  # new ones: another thread may be reading those that are there
                self.scale = torch.empty_like(self.scale).resize_(scale.shape)
                self.zero_point = torch.empty_like(self.zero_point).resize_(zero_point.shape)
            self.scale.copy_(scale)
            self.zero_point.copy_(zero_point)

    def extra_repr(self) -> str:
        return (
            f"fake_quant_enabled={self.fake_quant_enabled}, observer_enabled={self.observer_enabled}, "
            f"quant_min={self.quant_min}, quant_max={self.quant_max}, dtype={self.dtype}, qscheme={self.qscheme}, "
            f"ch_axis={self.ch_axis}, scale={self.scale}, zero_point={self.zero_point}"
        )

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool, missing_keys: Any, unexpected_keys: Any,
        error_msgs: Any,
    ) -> None:  # fmt: skip
        for name in ("scale", "zero_point"):
            if prefix + name in state_dict:
                getattr(self, name).resize_(state_dict[prefix + name].shape)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


def _check_bounds(observer: Any, observer_kwargs: dict[str, Any], quant_min: int, quant_max: int) -> None:
    if quant_min > quant_max:
        raise AssertionError(f"quant_min <= quant_max expected, found {quant_min} and {quant_max}")
    keywords = observer.p.keywords if isinstance(observer, PartialWrapper) else {}
    dtype = keywords.get("dtype", observer_kwargs.get("dtype", torch.quint8))
    limits = torch.iinfo(dtype)
    if quant_min < limits.min or quant_max > limits.max:
        raise AssertionError(f"bounds inside those of {dtype} expected, found {quant_min} and {quant_max}")


class FixedQParamsFakeQuantize(FakeQuantize):
    """With scale and zero point that were given."""

    def __init__(self, observer: Any) -> None:
        super().__init__(observer=observer)
        if not isinstance(self.activation_post_process, FixedQParamsObserver):
            raise AssertionError(f"a FixedQParamsObserver expected, found {type(self.activation_post_process).__name__}")
        if self.is_per_channel:
            raise AssertionError("a per-tensor scheme expected")
        self.scale = self.activation_post_process.scale
        self.zero_point = self.activation_post_process.zero_point

    def calculate_qparams(self, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return self.scale, self.zero_point


class FusedMovingAvgObsFakeQuantize(FakeQuantize):
    """FakeQuantize with a moving-average observer, both in one pass of the core."""

    def __init__(
        self, observer: Any = MovingAverageMinMaxObserver, quant_min: int = 0, quant_max: int = 255,
        **observer_kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__(observer, quant_min, quant_max, **observer_kwargs)
        if not isinstance(
            self.activation_post_process, (MovingAverageMinMaxObserver, MovingAveragePerChannelMinMaxObserver)
        ):
            raise AssertionError(
                f"a moving-average observer expected, found {type(self.activation_post_process).__name__}"
            )
        self.register_buffer("fake_quant_enabled", torch.tensor([1], dtype=torch.long))
        self.register_buffer("observer_enabled", torch.tensor([1], dtype=torch.long))
        self.is_symmetric_quant = self.qscheme in _SYMMETRIC

    # Of each step of training, so without the way that attributes of modules take.

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        if X.numel() == 0:
            return X
        observer = self._modules["activation_post_process"]
        if not runs_in_core(X):
            return self._as_operator_of_torch(X, observer)
        with observer._lock:  # threads that run one model take turns
            observer._pull()
            own = self._buffers
            quantizer = self._quantizer(X, observer._buffers, observer.averaging_constant)
            observe = own["observer_enabled"].item() == 1
            if own["fake_quant_enabled"].item() == 1:
                X = ObserveAndFakeQuantize.apply(X, quantizer, observe)
            elif observe:
                quantizer.observe(X.detach())
            observer._written()
        return X

    def _as_operator_of_torch(self, X: torch.Tensor, observer: Any) -> torch.Tensor:
        observer._pull()
        own, seen = self._buffers, observer._buffers
        result = torch.fused_moving_avg_obs_fake_quant(
            X, own["observer_enabled"], own["fake_quant_enabled"], seen["min_val"], seen["max_val"], own["scale"],
            own["zero_point"], observer.averaging_constant, self.quant_min, self.quant_max, self.ch_axis,
            self.is_per_channel, self.is_symmetric_quant,
        )  # fmt: skip
        observer._written()
        return result

    def _quantizer(self, X: torch.Tensor, seen: dict[str, Any], averaging_constant: float) -> Any:
        """The core's, on this module's buffers."""
        own = self._buffers
        if self.is_per_channel and seen["min_val"].numel() == 0:
            channels = X.size(self.ch_axis)
            with torch.no_grad():
                seen["min_val"].resize_(channels).fill_(float("inf"))
                seen["max_val"].resize_(channels).fill_(float("-inf"))
                own["scale"].resize_(channels).fill_(1)  # type: ignore[union-attr]
                own["zero_point"].resize_(channels).fill_(0)  # type: ignore[union-attr]
        return qdq._core._MovingAverageFakeQuantizer(
            seen["min_val"], seen["max_val"], own["scale"], own["zero_point"], averaging_constant, self.quant_min,
            self.quant_max, self.ch_axis if self.is_per_channel else None, self.is_symmetric_quant,
        )  # fmt: skip


class AffineFakeQuantize(FakeQuantizeBase):
    """Quantizes by blocks. observer: one of the affine observers; keyword arguments are passed to it."""

    def __init__(
        self, observer: Any = AffineQuantizedMinMaxObserver, is_dynamic: bool = False, **observer_kwargs: Any
    ) -> None:
        super().__init__()
        self.activation_post_process = observer(**observer_kwargs)
        self.is_dynamic = is_dynamic
        inner = self.activation_post_process
        self.mapping_type = inner.mapping_type
        self.target_dtype = inner.target_dtype
        self.granularity = inner.granularity
        self.quant_min = inner.quant_min
        self.quant_max = inner.quant_max
        self.eps = inner.eps
        self.scale_dtype = inner.scale_dtype
        self.zero_point_dtype = inner.zero_point_dtype
        self.preserve_zero = inner.preserve_zero
        self.zero_point_domain = inner.zero_point_domain
        self.block_size: tuple[int, ...] | None = None
        self.original_dtype: torch.dtype | None = None
        self.register_buffer("scale", torch.tensor([1.0]))
        self.register_buffer("zero_point", torch.tensor([0.0]))

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: Any, strict: bool, missing_keys: Any, unexpected_keys: Any,
        error_msgs: Any,
    ) -> None:  # fmt: skip
        for name in ("scale", "zero_point"):
            if prefix + name in state_dict:
                setattr(self, name, torch.empty_like(state_dict[prefix + name]))
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        if self.block_size is None:  # a state dict that was loaded says it
            self.block_size = self.activation_post_process.block_size
            self.original_dtype = self.activation_post_process.original_dtype
        if self.observer_enabled[0] == 1 or self.block_size is None:
            self.activation_post_process(X.detach())
            self.block_size = self.activation_post_process.block_size
            self.original_dtype = self.activation_post_process.original_dtype
            scale, zero_point = self.calculate_qparams()
            self.scale, self.zero_point = scale.to(X.device), zero_point.to(X.device)
        if self.fake_quant_enabled[0] == 1:
            assert self.block_size is not None
            X = fake_quantize_affine(
                X, self.block_size, self.scale, self.zero_point, self.target_dtype, self.quant_min, self.quant_max,
                self.zero_point_domain,
            )  # fmt: skip
        return X

    def calculate_qparams(self, **kwargs: Any) -> Any:
        return self.activation_post_process.calculate_qparams()


_MOVING = MovingAverageMinMaxObserver
default_fake_quant = FakeQuantize.with_args(
    observer=_MOVING, quant_min=0, quant_max=255, dtype=torch.quint8, qscheme=torch.per_tensor_affine, reduce_range=True
)
default_weight_fake_quant = FakeQuantize.with_args(
    observer=_MOVING, quant_min=-128, quant_max=127, dtype=torch.qint8, qscheme=torch.per_tensor_symmetric,
    reduce_range=False,
)  # fmt: skip
default_dynamic_fake_quant = FakeQuantize.with_args(
    observer=_MOVING, quant_min=0, quant_max=255, is_dynamic=True, dtype=torch.quint8, averaging_constant=1
)
default_fixed_qparams_range_neg1to1_fake_quant = FixedQParamsFakeQuantize.with_args(
    observer=default_fixed_qparams_range_neg1to1_observer
)
default_fixed_qparams_range_0to1_fake_quant = FixedQParamsFakeQuantize.with_args(
    observer=default_fixed_qparams_range_0to1_observer
)
default_symmetric_fixed_qparams_fake_quant = default_fixed_qparams_range_neg1to1_fake_quant
default_affine_fixed_qparams_fake_quant = default_fixed_qparams_range_0to1_fake_quant
default_per_channel_weight_fake_quant = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver, quant_min=-128, quant_max=127, dtype=torch.qint8,
    qscheme=torch.per_channel_symmetric, reduce_range=False, ch_axis=0,
)  # fmt: skip
default_embedding_fake_quant = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver, qscheme=torch.per_channel_affine_float_qparams, dtype=torch.quint8,
    quant_min=0, quant_max=255, ch_axis=0, averaging_constant=1,
)  # fmt: skip
default_embedding_fake_quant_4bit = FakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver, qscheme=torch.per_channel_affine_float_qparams, ch_axis=0,
    dtype=torch.quint4x2, averaging_constant=1,
)  # fmt: skip
default_histogram_fake_quant = FakeQuantize.with_args(
    observer=HistogramObserver, quant_min=0, quant_max=255, dtype=torch.quint8, qscheme=torch.per_tensor_affine,
    reduce_range=True,
)  # fmt: skip
default_fused_act_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    observer=_MOVING, quant_min=0, quant_max=255, dtype=torch.quint8
)
default_fused_wt_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    observer=_MOVING, quant_min=-128, quant_max=127, dtype=torch.qint8, qscheme=torch.per_tensor_symmetric
)
default_fused_per_channel_wt_fake_quant = FusedMovingAvgObsFakeQuantize.with_args(
    observer=MovingAveragePerChannelMinMaxObserver, quant_min=-128, quant_max=127, dtype=torch.qint8,
    qscheme=torch.per_channel_symmetric,
)  # fmt: skip
fused_wt_fake_quant_range_neg_127_to_127 = default_fused_wt_fake_quant.with_args(
    quant_min=-127, quant_max=127, eps=2**-12
)
fused_per_channel_wt_fake_quant_range_neg_127_to_127 = default_fused_per_channel_wt_fake_quant.with_args(
    quant_min=-127, quant_max=127, eps=2**-12
)
default_affine_fake_quant = AffineFakeQuantize.with_args(
    observer=AffineQuantizedMinMaxObserver, mapping_type=MappingType.ASYMMETRIC, target_dtype=torch.uint8,
    granularity=PerTensor(),
)  # fmt: skip
_symmetric_blocks = AffineFakeQuantize.with_args(
    observer=AffineQuantizedMinMaxObserver, mapping_type=MappingType.SYMMETRIC, target_dtype=torch.int8
)
default_groupwise_fake_quant = _symmetric_blocks.with_args(granularity=PerGroup(group_size=128))
default_affine_per_axis_fake_quant = _symmetric_blocks.with_args(granularity=PerAxis(axis=0))


def enable_observer(mod: nn.Module) -> None:
    """For ``model.apply``: fake quantizers observe."""
    if isinstance(mod, FakeQuantizeBase):
        mod.enable_observer()


def disable_observer(mod: nn.Module) -> None:
    """For ``model.apply``: fake quantizers stop observing."""
    if isinstance(mod, FakeQuantizeBase):
        mod.disable_observer()


def enable_fake_quant(mod: nn.Module) -> None:
    """For ``model.apply``: fake quantizers quantize."""
    if isinstance(mod, FakeQuantizeBase):
        mod.enable_fake_quant()


def disable_fake_quant(mod: nn.Module) -> None:
    """For ``model.apply``: fake quantizers let values through."""
    if isinstance(mod, FakeQuantizeBase):
        mod.disable_fake_quant()


_FOR_TRAINING = {
    HistogramObserver: MovingAverageMinMaxObserver,
    MinMaxObserver: MovingAverageMinMaxObserver,
    PerChannelMinMaxObserver: MovingAveragePerChannelMinMaxObserver,
}


def for_training(spec: Any) -> Any:
    """The spec with a fake quantizer around a moving-average observer in place of its observer."""
    if spec is None or isinstance(spec.observer_or_fake_quant_ctr, type):
        return spec
    constructor = spec.observer_or_fake_quant_ctr.p
    kept = {name: value for name, value in constructor.keywords.items() if name == "eps"}
    if spec.is_dynamic:
        made = FakeQuantize.with_args(observer=MovingAverageMinMaxObserver.with_args(averaging_constant=1), **kept)
    else:
        made = FusedMovingAvgObsFakeQuantize.with_args(
            observer=_FOR_TRAINING.get(constructor.func, constructor.func), **kept
        )
    return dataclasses.replace(spec, observer_or_fake_quant_ctr=made)
