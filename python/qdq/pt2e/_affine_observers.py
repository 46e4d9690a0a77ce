"""Observers that quantize by blocks, as modules over the core's."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import Any

import torch
from torch import nn

import qdq

from ._bridge.dtypes import core_dtype
from ._bridge.granularity import core_granularity
from ._bridge.tensors import core_tensor, torch_tensor
from ._observer_base import CoreState, _with_args, _with_callable_args
from .quant_primitives import Granularity, MappingType, ZeroPointDomain, get_block_size


class AffineQuantizedObserverBase(nn.Module, metaclass=ABCMeta):
    """One scale and zero point for each block of the tensors that go through.

    mapping_type, target_dtype, granularity, quant_min, quant_max, eps, scale_dtype, zero_point_dtype, preserve_zero,
    zero_point_domain: as in torchao. block_size and original_dtype are known after the first forward.
    """

    with_args = classmethod(_with_args)
    with_callable_args = classmethod(_with_callable_args)

    def __init__(
        self,
        mapping_type: MappingType,
        target_dtype: torch.dtype,
        granularity: Granularity,
        quant_min: int | None = None,
        quant_max: int | None = None,
        eps: float | None = None,
        scale_dtype: torch.dtype | None = None,
        zero_point_dtype: torch.dtype | None = None,
        preserve_zero: bool = True,
        zero_point_domain: ZeroPointDomain | None = ZeroPointDomain.INT,
        **kwargs: Any,
    ) -> None:
        super().__init__()
        if granularity is None:
            raise AssertionError("a granularity expected")
        if zero_point_domain is None:
            raise ValueError("zero_point_domain: INT, FLOAT or NONE expected, found None")
        self.mapping_type = mapping_type
        self.target_dtype = target_dtype
        self.granularity = granularity
        self.quant_min = quant_min
        self.quant_max = quant_max
        self.eps = eps
        self.scale_dtype = scale_dtype
        self.zero_point_dtype = zero_point_dtype
        self.preserve_zero = preserve_zero
        self.zero_point_domain = zero_point_domain
        self.block_size: tuple[int, ...] | None = None
        self.original_dtype: torch.dtype | None = None
        self._constructed()

    def _constructed(self) -> None:
        """The end of construction, for subclasses with the same arguments."""

    @abstractmethod
    def forward(self, input: torch.Tensor) -> torch.Tensor: ...

    @abstractmethod
    def calculate_qparams(self) -> tuple[torch.Tensor, torch.Tensor]: ...


class _CoreAffineObserver(CoreState, AffineQuantizedObserverBase):
    _kind = ""
    _core_extra: dict[str, Any] = {}

    def _constructed(self) -> None:
        self._begin(self._make_core())

    def _make_core(self) -> qdq.Observer:
        optional: dict[str, Any] = {
            "quant_min": self.quant_min,
            "quant_max": self.quant_max,
            "eps": self.eps,
            "scale_dtype": None if self.scale_dtype is None else core_dtype(self.scale_dtype),
            "zero_point_dtype": None if self.zero_point_dtype is None else core_dtype(self.zero_point_dtype),
        }
        return qdq.ObserverFactory(self._kind)(
            qdq.ObserverOptions(
                dtype=core_dtype(self.target_dtype),
                mapping_type=qdq.MappingType[self.mapping_type.name],
                granularity=core_granularity(self.granularity),
                preserve_zero=self.preserve_zero,
                zero_point_domain=qdq.ZeroPointDomain[self.zero_point_domain.name],
                **{name: value for name, value in optional.items() if value is not None},
                **self._core_extra,
            )
        )

    def _buffer_state(self) -> list[tuple[str, qdq.Tensor]]:
        state = super()._buffer_state()
        if self.block_size is not None:  # no buffer of torchao's, but the core's state has it
            state.append(("block_size", core_tensor(torch.tensor(self.block_size))))
        return state

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if "min_val" in self._buffers:  # torchao keeps neither bounds nor blocks: its checkpoints have nothing here
            destination[prefix + "block_size"] = torch.tensor(self.block_size)

    def _load_from_state_dict(
        self, state_dict: Any, prefix: str, local_metadata: dict[str, Any], strict: bool, missing_keys: Any,
        unexpected_keys: Any, error_msgs: Any,
    ) -> None:  # fmt: skip
        self._pull()
        present = [name for name in ("min_val", "max_val") if prefix + name in state_dict]
        for name in present:
            self._buffers[name] = torch.empty_like(state_dict[prefix + name])
        block_size = state_dict.pop(prefix + "block_size", None)
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        if block_size is not None and len(present) == 2:
            self.block_size = tuple(block_size.tolist())
            self.original_dtype = self._buffers["min_val"].dtype  # type: ignore[union-attr]
            self._push()

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Observes the input (its sizes divided by the blocks) and returns it.

        Raises AssertionError when the blocks of this input are others than those seen before.
        """
        if input.numel() == 0:
            return input
        block_size = get_block_size(tuple(input.shape), self.granularity)
        try:
            self._observe(input)
        except qdq.InvalidArgumentError as error:
            raise AssertionError(str(error)) from error
        self.block_size = block_size
        self.original_dtype = input.dtype
        if "min_val" not in self._buffers:
            for name, tensor in self._core.state():
                if name in ("min_val", "max_val"):
                    self.register_buffer(name, torch_tensor(tensor).clone())
            self._agree()
        return input

    def calculate_qparams(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Scale and zero point with an element for each block."""
        core = self._core_up_to_date()
        if not core.has_observed():
            raise AssertionError("an affine observer needs a forward run before it is asked for scale and zero point")
        try:
            scale, zero_point = core.calculate_qparams()
        except qdq.InvalidArgumentError as error:
            raise AssertionError(str(error)) from error
        return torch_tensor(scale), None if zero_point is None else torch_tensor(zero_point)  # type: ignore[return-value]


class AffineQuantizedMinMaxObserver(_CoreAffineObserver):
    """The bounds of each block over everything that was seen."""

    _kind = "AffineQuantizedMinMaxObserver"


class AffineQuantizedMovingAverageMinMaxObserver(_CoreAffineObserver):
    """An average of the batches' bounds of each block that weighs the newest with averaging_constant."""

    _kind = "AffineQuantizedMovingAverageMinMaxObserver"

    def __init__(
        self,
        mapping_type: MappingType,
        target_dtype: torch.dtype,
        granularity: Granularity,
        averaging_constant: float = 0.01,
        quant_min: int | None = None,
        quant_max: int | None = None,
        eps: float | None = None,
        is_dynamic: bool = False,
        scale_dtype: torch.dtype | None = None,
        zero_point_dtype: torch.dtype | None = None,
        preserve_zero: bool = True,
        zero_point_domain: ZeroPointDomain | None = ZeroPointDomain.INT,
        **kwargs: Any,
    ) -> None:
        self.__dict__["_core_extra"] = {"averaging_constant": float(averaging_constant)}
        super().__init__(
            mapping_type, target_dtype, granularity, quant_min, quant_max, eps, scale_dtype, zero_point_dtype,
            preserve_zero, zero_point_domain,
        )  # fmt: skip
        self.is_dynamic = is_dynamic
        self.averaging_constant = averaging_constant
        if is_dynamic and averaging_constant != 1:
            raise NotImplementedError("dynamic needs averaging_constant=1")


class AffineQuantizedPlaceholderObserver(AffineQuantizedObserverBase):
    """Notes the block size and the dtype; scale and zero point are chosen at run time."""

    def __init__(
        self,
        mapping_type: MappingType,
        target_dtype: torch.dtype,
        granularity: Granularity,
        quant_min: int | None = None,
        quant_max: int | None = None,
        eps: float | None = None,
        is_dynamic: bool = False,
        scale_dtype: torch.dtype | None = None,
        zero_point_dtype: torch.dtype | None = None,
        preserve_zero: bool = True,
        zero_point_domain: ZeroPointDomain | None = ZeroPointDomain.INT,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            mapping_type, target_dtype, granularity, quant_min, quant_max, eps, scale_dtype, zero_point_dtype,
            preserve_zero, zero_point_domain,
        )  # fmt: skip
        self.is_dynamic = is_dynamic

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        self.block_size = get_block_size(tuple(input.shape), self.granularity)
        self.original_dtype = input.dtype
        return input

    def calculate_qparams(self) -> tuple[torch.Tensor, torch.Tensor]:
        raise Exception("an AffineQuantizedPlaceholderObserver has no scale and zero point")
