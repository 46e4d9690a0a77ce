"""Observers as modules, with the constructors, buffers and state dicts of torchao.quantization.pt2e.observer.

The core observes and computes; a module holds a core observer and shows its state as buffers.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from typing import Any

import torch
from torch import nn

import qdq

from ._affine_observers import (
    AffineQuantizedMinMaxObserver,
    AffineQuantizedMovingAverageMinMaxObserver,
    AffineQuantizedObserverBase,
    AffineQuantizedPlaceholderObserver,
)
from ._bridge.dtypes import core_dtype, core_qscheme
from ._bridge.tensors import core_tensor, torch_tensor
from ._observer_base import CoreState, ObserverBase, PartialWrapper
from .quant_primitives import (
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
    get_block_size,
)

__all__ = [
    "AffineQuantizedMinMaxObserver",
    "AffineQuantizedMovingAverageMinMaxObserver",
    "AffineQuantizedObserverBase",
    "AffineQuantizedPlaceholderObserver",
    "FixedQParamsObserver",
    "Granularity",
    "HistogramObserver",
    "MappingType",
    "MinMaxObserver",
    "MovingAverageMinMaxObserver",
    "MovingAveragePerChannelMinMaxObserver",
    "NoopObserver",
    "ObserverBase",
    "PartialWrapper",
    "PerAxis",
    "PerBlock",
    "PerChannelMinMaxObserver",
    "PerGroup",
    "PerRow",
    "PerTensor",
    "PerToken",
    "PlaceholderObserver",
    "RecordingObserver",
    "ReuseInputObserver",
    "TorchAODType",
    "UniformQuantizationObserverBase",
    "ZeroPointDomain",
    "default_affine_fixed_qparams_observer",
    "default_debug_observer",
    "default_dynamic_quant_observer",
    "default_fixed_qparams_range_0to1_observer",
    "default_fixed_qparams_range_neg1to1_observer",
    "default_float_qparams_observer",
    "default_float_qparams_observer_4bit",
    "default_histogram_observer",
    "default_observer",
    "default_per_channel_weight_observer",
    "default_placeholder_observer",
    "default_reuse_input_observer",
    "default_symmetric_fixed_qparams_observer",
    "default_weight_observer",
    "get_block_size",
    "get_observer_state_dict",
    "load_observer_state_dict",
    "per_channel_weight_observer_range_neg_127_to_127",
    "weight_observer_range_neg_127_to_127",
]

_FLOAT32_EPS = torch.finfo(torch.float32).eps


def _options(**given: Any) -> qdq.ObserverOptions:
    if "dtype" in given:
        given["dtype"] = core_dtype(given["dtype"])
    if given.get("qscheme") is not None:
        given["qscheme"] = core_qscheme(given["qscheme"])
    return qdq.ObserverOptions(**given)


class UniformQuantizationObserverBase(ObserverBase):
    """Base of the observers that choose scale and zero point from bounds. Arguments as in PyTorch.

    An observer of one's own defines forward, and calculate_qparams with the help of _calculate_qparams.

    Raises ValueError (InvalidArgumentError) for a dtype, bounds or a scheme that cannot be.
    """

    _version = 3
    eps: torch.Tensor

    def __init__(
        self,
        dtype: torch.dtype = torch.quint8,
        qscheme: torch.qscheme = torch.per_tensor_affine,
        reduce_range: bool = False,
        quant_min: int | None = None,
        quant_max: int | None = None,
        factory_kwargs: dict[str, Any] | None = None,
        eps: float = _FLOAT32_EPS,
        is_dynamic: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(dtype=dtype, is_dynamic=is_dynamic)
        self._set_plain(
            qscheme=qscheme,
            reduce_range=bool(reduce_range),
            has_customized_qrange=quant_min is not None and quant_max is not None,
            _bounds_options={
                "dtype": dtype,
                "qscheme": qscheme,
                "reduce_range": bool(reduce_range),
                "quant_min": quant_min,
                "quant_max": quant_max,
                "eps": float(eps),
            },
        )
        self._constructed(float(eps), is_dynamic=bool(is_dynamic), **kwargs)
        if factory_kwargs and (device := torch.nn.factory_kwargs(factory_kwargs).get("device")) is not None:
            self.to(device)

    def _constructed(self, eps: float, **kwargs: Any) -> None:
        """The end of construction."""
        bounds = self._bounds()
        self._set_plain(quant_min=bounds.quant_min, quant_max=bounds.quant_max)
        self.register_buffer("eps", torch.tensor([eps]))

    def _bounds(self) -> qdq.Observer:
        """A core observer whose bounds can be set."""
        kind = "PerChannelMinMaxObserver" if _is_per_channel(self.qscheme) else "MinMaxObserver"
        return qdq.ObserverFactory(kind)(_options(**self.__dict__["_bounds_options"]))

    def _calculate_qparams(self, min_val: torch.Tensor, max_val: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scale and zero point for these bounds: one of each, or one for each channel.

        Raises AssertionError for NaN and where min_val > max_val.
        """
        shape = (-1,) if _is_per_channel(self.qscheme) else ()
        bounds = self._bounds()
        state = {"eps": self.eps, "min_val": min_val.reshape(shape), "max_val": max_val.reshape(shape)}
        bounds.load_state([(name, core_tensor(tensor.float())) for name, tensor in state.items()])
        return _qparams_of(bounds, min_val.device)

    def reset_min_max_vals(self) -> None:
        """Forgets what was seen, where the subclass can."""
        raise NotImplementedError(f"reset_min_max_vals: {type(self).__name__} does not define it")

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict[str, Any], strict: bool, missing_keys: Any,
        unexpected_keys: Any, error_msgs: Any,
    ) -> None:  # fmt: skip
        version = local_metadata.get("version")
        if version is None or version == 1:  # before eps was a buffer
            state_dict[prefix + "eps"] = torch.tensor([_FLOAT32_EPS])
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )


def _qparams_of(core: qdq.Observer, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    if not core.has_observed():
        warnings.warn(
            "an observer was asked for scale and zero point before it saw any value: it answers 1 and 0",
            stacklevel=3,
        )
    try:
        scale, zero_point = core.calculate_qparams()
    except qdq.InvalidArgumentError as error:
        raise AssertionError(str(error)) from error
    assert zero_point is not None
    return torch_tensor(scale).to(device), torch_tensor(zero_point).to(device)


class _CoreObserver(CoreState, UniformQuantizationObserverBase):
    """An observer of the core's with min_val and max_val."""

    min_val: torch.Tensor
    max_val: torch.Tensor
    _kind = ""  # the name of the core's class

    def _constructed(self, eps: float, **kwargs: Any) -> None:
        self._set_plain(_core_options={**self.__dict__["_bounds_options"], **kwargs})
        core = self._make_core()
        self._set_plain(quant_min=core.quant_min, quant_max=core.quant_max)
        self._attach(core)

    def _make_core(self) -> qdq.Observer:
        return qdq.ObserverFactory(self._kind)(_options(**self.__dict__["_core_options"]))

    def forward(self, x_orig: torch.Tensor) -> torch.Tensor:
        """Observes x (any shape; an empty tensor changes nothing) and returns it."""
        if x_orig.numel():
            self._observe(x_orig)
        return x_orig

    def calculate_qparams(self, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Scale (float32) and zero point (int64, int32 or float32), of shape [1] or [channels].

        Raises AssertionError when a bound is NaN.
        """
        return _qparams_of(self._core_up_to_date(), self._buffers["min_val"].device)  # type: ignore[union-attr]

    def reset_min_max_vals(self) -> None:
        """Forgets what was seen."""
        with self.__dict__["_lock"]:
            self._core = self._make_core()
            self.__dict__["_stale"] = True
            self._pull()

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict[str, Any], strict: bool, missing_keys: Any,
        unexpected_keys: Any, error_msgs: Any,
    ) -> None:  # fmt: skip
        version = local_metadata.get("version")
        if _is_per_channel(self.qscheme) and version is not None and version < 3:
            for old, new in (("min_vals", "min_val"), ("max_vals", "max_val")):
                if prefix + old in state_dict:
                    state_dict[prefix + new] = state_dict.pop(prefix + old)
        self._pull()
        present = [name for name in ("min_val", "max_val") if prefix + name in state_dict]
        for name in present:
            value = state_dict[prefix + name]
            if self._buffers[name].dim() == 0 and value.numel() == 1:  # of shape [1] in old versions
                state_dict[prefix + name] = value = value.reshape(())
            self._buffers[name] = torch.empty_like(value)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        if len(present) == 2:
            self._push()

    def extra_repr(self) -> str:
        return f"min_val={self.min_val}, max_val={self.max_val}"


def _is_per_channel(qscheme: torch.qscheme) -> bool:
    return qscheme in (
        torch.per_channel_affine, torch.per_channel_symmetric, torch.per_channel_affine_float_qparams,
    )  # fmt: skip


class MinMaxObserver(_CoreObserver):
    """The smallest and the largest value of everything that was seen."""

    _kind = "MinMaxObserver"

    def __init__(
        self, dtype=torch.quint8, qscheme=torch.per_tensor_affine, reduce_range=False, quant_min=None, quant_max=None,
        factory_kwargs=None, eps=_FLOAT32_EPS, is_dynamic=False, **kwargs,
    ) -> None:  # fmt: skip
        if _is_per_channel(qscheme):
            raise NotImplementedError(f"a per-tensor scheme expected, found {qscheme}")
        if qscheme == torch.per_tensor_symmetric and reduce_range and dtype == torch.quint8:
            raise NotImplementedError("reduce_range is not defined for symmetric quint8")
        super().__init__(dtype, qscheme, reduce_range, quant_min, quant_max, factory_kwargs, eps, is_dynamic, **kwargs)


class MovingAverageMinMaxObserver(MinMaxObserver):
    """An average of the batches' bounds that weighs the newest with averaging_constant."""

    _kind = "MovingAverageMinMaxObserver"

    def __init__(
        self, averaging_constant=0.01, dtype=torch.quint8, qscheme=torch.per_tensor_affine, reduce_range=False,
        quant_min=None, quant_max=None, eps=_FLOAT32_EPS, is_dynamic=False, **kwargs,
    ) -> None:  # fmt: skip
        if is_dynamic and averaging_constant != 1:
            raise NotImplementedError("dynamic needs averaging_constant=1")
        super().__init__(
            dtype, qscheme, reduce_range, quant_min, quant_max, eps=eps, is_dynamic=is_dynamic,
            averaging_constant=float(averaging_constant), **kwargs,
        )  # fmt: skip
        self._set_plain(averaging_constant=averaging_constant)


class PerChannelMinMaxObserver(_CoreObserver):
    """The bounds of each channel along ch_axis."""

    _kind = "PerChannelMinMaxObserver"

    def __init__(
        self, ch_axis=0, dtype=torch.quint8, qscheme=torch.per_channel_affine, reduce_range=False, quant_min=None,
        quant_max=None, factory_kwargs=None, eps=_FLOAT32_EPS, is_dynamic=False, **kwargs,
    ) -> None:  # fmt: skip
        if not _is_per_channel(qscheme):
            raise NotImplementedError(f"a per-channel scheme expected, found {qscheme}")
        if is_dynamic:
            raise NotImplementedError("per-channel observers cannot be dynamic")
        super().__init__(
            dtype, qscheme, reduce_range, quant_min, quant_max, factory_kwargs, eps, is_dynamic, ch_axis=ch_axis, **kwargs
        )
        self._set_plain(ch_axis=ch_axis)


class MovingAveragePerChannelMinMaxObserver(PerChannelMinMaxObserver):
    """An average of the batches' bounds of each channel."""

    _kind = "MovingAveragePerChannelMinMaxObserver"

    def __init__(
        self, averaging_constant=0.01, ch_axis=0, dtype=torch.quint8, qscheme=torch.per_channel_affine,
        reduce_range=False, quant_min=None, quant_max=None, eps=_FLOAT32_EPS, is_dynamic=False, **kwargs,
    ) -> None:  # fmt: skip
        super().__init__(
            ch_axis, dtype, qscheme, reduce_range, quant_min, quant_max, eps=eps, is_dynamic=is_dynamic,
            averaging_constant=float(averaging_constant), **kwargs,
        )  # fmt: skip
        self._set_plain(averaging_constant=averaging_constant)


class HistogramObserver(_CoreObserver):
    """A running histogram; the bounds are those with the least squared quantization error (docs/numerics.md)."""

    _kind = "HistogramObserver"
    histogram: torch.Tensor

    def __init__(
        self, bins: int = 2048, dtype: torch.dtype = torch.quint8, qscheme=torch.per_tensor_affine, reduce_range=False,
        quant_min=None, quant_max=None, factory_kwargs=None, eps=_FLOAT32_EPS, is_dynamic=False, **kwargs,
    ) -> None:  # fmt: skip
        if _is_per_channel(qscheme):
            raise NotImplementedError(f"a per-tensor scheme expected, found {qscheme}")
        if is_dynamic:
            raise NotImplementedError("histograms cannot be dynamic")
        super().__init__(
            dtype, qscheme, reduce_range, quant_min, quant_max, factory_kwargs, eps, is_dynamic, bins=int(bins), **kwargs
        )
        self._set_plain(bins=bins, upsample_rate=16, dst_nbins=2 ** torch.iinfo(dtype).bits)


class _ConstantObserver(ObserverBase):
    """Lets values through and looks at none."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


class FixedQParamsObserver(_ConstantObserver):
    """Scale and zero point that were given."""

    scale: torch.Tensor
    zero_point: torch.Tensor

    def __init__(
        self, scale, zero_point, dtype=torch.quint8, qscheme=torch.per_tensor_affine, quant_min=0, quant_max=255,
        is_dynamic=False, **kwargs,
    ) -> None:  # fmt: skip
        if is_dynamic:
            raise NotImplementedError("fixed parameters cannot be dynamic")
        super().__init__(dtype=dtype, is_dynamic=is_dynamic)
        self.quant_min = quant_min
        self.quant_max = quant_max
        self.register_buffer("scale", torch.tensor([scale], dtype=torch.float))
        self.register_buffer("zero_point", torch.tensor([zero_point], dtype=torch.int))
        self.qscheme = qscheme

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return X

    def calculate_qparams(self, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return self.scale, self.zero_point


class PlaceholderObserver(_ConstantObserver):
    """Stands for a dtype: float16, or one whose range is chosen at run time (is_dynamic)."""

    def __init__(
        self, dtype=torch.float32, custom_op_name="", compute_dtype=None, quant_min=None, quant_max=None, qscheme=None,
        eps=None, is_dynamic=False,
    ) -> None:  # fmt: skip
        super().__init__(dtype=dtype, is_dynamic=is_dynamic)
        self.qscheme = torch.per_tensor_affine if qscheme is None else qscheme
        self.quant_min = quant_min
        self.quant_max = quant_max
        self.eps = _FLOAT32_EPS if eps is None else eps
        self.custom_op = custom_op_name
        if compute_dtype:
            self.is_dynamic = True
            warnings.warn("compute_dtype is deprecated: use is_dynamic=True", stacklevel=2)

    def calculate_qparams(self, **kwargs: Any) -> Any:
        raise Exception("a PlaceholderObserver has no scale and zero point")

    def extra_repr(self) -> str:
        return f"dtype={self.dtype}, is_dynamic={self.is_dynamic}"


class RecordingObserver(ObserverBase):
    """Keeps a copy of everything."""

    def __init__(self, dtype: torch.dtype = torch.quint8, **kwargs: Any) -> None:
        super().__init__(dtype=dtype, is_dynamic=False)
        self.tensor_val: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.tensor_val.append(x.clone())
        return x

    def calculate_qparams(self, **kwargs: Any) -> Any:
        raise Exception("a RecordingObserver has no scale and zero point")

    def get_tensor_value(self) -> list[torch.Tensor]:
        return self.tensor_val


class NoopObserver(_ConstantObserver):
    """Only says that the place is of another dtype."""

    def __init__(self, dtype: torch.dtype = torch.float16, custom_op_name: str = "") -> None:
        super().__init__(dtype=dtype, is_dynamic=False)
        self.custom_op = custom_op_name

    def calculate_qparams(self, **kwargs: Any) -> Any:
        raise Exception("a NoopObserver has no scale and zero point")


class ReuseInputObserver(_ConstantObserver):
    """The output is quantized as the input."""

    def __init__(self) -> None:
        super().__init__(torch.quint8, is_dynamic=False)

    def calculate_qparams(self, **kwargs: Any) -> Any:
        raise Exception("a ReuseInputObserver has no scale and zero point")


default_observer = MinMaxObserver.with_args(quant_min=0, quant_max=127)
default_placeholder_observer = PlaceholderObserver
default_debug_observer = RecordingObserver
default_weight_observer = MinMaxObserver.with_args(dtype=torch.qint8, qscheme=torch.per_tensor_symmetric)
weight_observer_range_neg_127_to_127 = default_weight_observer.with_args(quant_min=-127, quant_max=127, eps=2**-12)
default_histogram_observer = HistogramObserver.with_args(quant_min=0, quant_max=127)
default_per_channel_weight_observer = PerChannelMinMaxObserver.with_args(
    dtype=torch.qint8, qscheme=torch.per_channel_symmetric
)
per_channel_weight_observer_range_neg_127_to_127 = default_per_channel_weight_observer.with_args(
    quant_min=-127, quant_max=127, eps=2**-12
)
default_dynamic_quant_observer = PlaceholderObserver.with_args(
    dtype=torch.quint8, quant_min=0, quant_max=255, is_dynamic=True
)
default_float_qparams_observer = PerChannelMinMaxObserver.with_args(
    dtype=torch.quint8, qscheme=torch.per_channel_affine_float_qparams, ch_axis=0
)
default_float_qparams_observer_4bit = default_float_qparams_observer.with_args(dtype=torch.quint4x2)
_default_fixed = FixedQParamsObserver.with_args(dtype=torch.quint8, quant_min=0, quant_max=255)
default_fixed_qparams_range_neg1to1_observer = _default_fixed.with_args(scale=2.0 / 256.0, zero_point=128)
default_fixed_qparams_range_0to1_observer = _default_fixed.with_args(scale=1.0 / 256.0, zero_point=0)
default_symmetric_fixed_qparams_observer = default_fixed_qparams_range_neg1to1_observer
default_affine_fixed_qparams_observer = default_fixed_qparams_range_0to1_observer
default_reuse_input_observer = ReuseInputObserver


def get_observer_state_dict(mod: nn.Module) -> OrderedDict[str, Any]:
    """The entries of the state dict that belong to observers."""
    state = OrderedDict((name, value) for name, value in mod.state_dict().items() if "activation_post_process" in name)
    state._metadata = {  # type: ignore[attr-defined]
        name: value for name, value in mod.state_dict()._metadata.items() if "activation_post_process" in name
    }
    return state


def load_observer_state_dict(mod: nn.Module, obs_dict: dict[str, Any]) -> None:
    """Gives the observers of `mod` the state that get_observer_state_dict took. Raises RuntimeError for missing entries."""
    missing: list[str] = []
    unexpected: list[str] = []
    for name, module in mod.named_modules():
        prefix = name + "."
        if isinstance(module, ObserverBase):
            module._load_from_state_dict(dict(obs_dict), prefix, {"version": 3}, True, missing, unexpected, [])
    for name in missing:
        if "observer" in name or "activation_post_process" in name:
            raise RuntimeError(f"the state has no entry '{name}'")
