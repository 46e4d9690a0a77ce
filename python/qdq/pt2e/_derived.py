"""The observer of a place whose parameters come from other places' observers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from .observer import ObserverBase, _is_per_channel


class DerivedObserverOrFakeQuantize(ObserverBase):
    """Lets values through; scale and zero point are derive_qparams_fn(obs_or_fqs)."""

    def __init__(
        self,
        dtype: torch.dtype,
        obs_or_fqs: list[nn.Module],
        derive_qparams_fn: Callable[[list[Any]], tuple[torch.Tensor, torch.Tensor]],
        quant_min: int | None = None,
        quant_max: int | None = None,
        qscheme: torch.qscheme | None = None,
        ch_axis: int | None = None,
    ) -> None:
        super().__init__(dtype)
        # Not submodules: they are at home elsewhere.
        self.__dict__["obs_or_fqs"] = obs_or_fqs
        self.derive_qparams_fn = derive_qparams_fn
        self.quant_min = quant_min
        self.quant_max = quant_max
        self.qscheme = qscheme
        self.ch_axis = ch_axis
        if qscheme is not None and _is_per_channel(qscheme) and ch_axis is None:
            raise AssertionError("a DerivedQuantizationSpec with a per-channel scheme needs ch_axis")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x

    def calculate_qparams(self, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        return self.derive_qparams_fn(self.obs_or_fqs)
