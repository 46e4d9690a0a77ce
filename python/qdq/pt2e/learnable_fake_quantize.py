"""A fake quantizer whose scale and zero point are trained (LSQ+, arXiv:2004.09576)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from ._uniform_fake_quantize import fake_quantize_learnable
from .fake_quantize import _SYMMETRIC, FakeQuantizeBase
from .observer import _is_per_channel

__all__ = ["LearnableFakeQuantize", "disable_range_learning", "enable_range_learning"]

_EPS = torch.finfo(torch.float32).eps


class LearnableFakeQuantize(FakeQuantizeBase):
    """scale and zero_point are None until the first forward, which takes them from the observer; then Parameters.

    enable_range_learning() trains them and stops the observer; enable_observer() is the other way round.
    use_grad_scaling: their gradients are divided by sqrt(elements * quant_max).

    Raises AssertionError for bounds outside the observer's dtype.
    """

    learning_enabled: torch.Tensor
    eps: torch.Tensor

    def __init__(
        self, observer: Any, quant_min: int = 0, quant_max: int = 255, use_grad_scaling: bool = False,
        **observer_kwargs: Any,
    ) -> None:  # fmt: skip
        super().__init__()
        if quant_min >= quant_max:
            raise AssertionError(f"quant_min < quant_max expected, found {quant_min} and {quant_max}")
        self.quant_min = quant_min
        self.quant_max = quant_max
        observer_kwargs.update(quant_min=quant_min, quant_max=quant_max)
        self.use_grad_scaling = use_grad_scaling
        self.scale: nn.Parameter | None = None
        self.zero_point: nn.Parameter | None = None
        self.activation_post_process = observer(**observer_kwargs)
        limits = torch.iinfo(self.activation_post_process.dtype)
        if quant_min < limits.min or quant_max > limits.max:
            raise AssertionError(f"bounds inside those of {self.activation_post_process.dtype} expected")
        self.dtype = self.activation_post_process.dtype
        self.qscheme = self.activation_post_process.qscheme
        self.ch_axis = getattr(self.activation_post_process, "ch_axis", -1)
        self.register_buffer("learning_enabled", torch.tensor([0], dtype=torch.uint8))
        self.register_buffer("eps", torch.tensor([_EPS]))

    def _train_range(self, learn: bool) -> None:
        self.learning_enabled[0] = 1 if learn else 0
        for parameter in (self.scale, self.zero_point):
            if parameter is not None:
                parameter.requires_grad = learn

    def enable_range_learning(self) -> None:
        self._train_range(True)
        self.enable_fake_quant(True)
        self.observer_enabled[0] = 0

    def disable_range_learning(self) -> None:
        self._train_range(False)

    def enable_observer(self, enabled: bool = True) -> None:
        self.observer_enabled[0] = 1 if enabled else 0
        if enabled:
            self._train_range(False)

    def calculate_qparams(self, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Scale of at least float32's eps, zero point rounded and clamped, int64."""
        if self.scale is None or self.zero_point is None:
            return self.activation_post_process.calculate_qparams()
        scale = self.scale.detach().clamp(min=_EPS)
        zero_point = self.zero_point.detach().round().clamp(self.quant_min, self.quant_max).long()
        return scale, zero_point

    def _take_qparams(self, x: torch.Tensor) -> None:
        scale, zero_point = self.activation_post_process.calculate_qparams()
        scale, zero_point = scale.to(x.device), zero_point.to(x.device, torch.float)
        learn = bool(self.learning_enabled[0])
        if self.scale is None or self.zero_point is None:
            self.scale = nn.Parameter(scale, requires_grad=learn)
            self.zero_point = nn.Parameter(zero_point, requires_grad=learn)
        else:
            self.scale.data.copy_(scale)
            self.zero_point.data.copy_(zero_point)

    def observe_quant_params(self) -> None:
        """Prints scale and zero point."""
        for name, parameter in (("Scale", self.scale), ("Zero Point", self.zero_point)):
            print(f"LearnableFakeQuantize {name}: {None if parameter is None else parameter.detach()}")

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        if self.observer_enabled[0] == 1 or self.scale is None:
            self.activation_post_process(X.detach())
            self._take_qparams(X)
        assert self.scale is not None and self.zero_point is not None
        if self.learning_enabled[0] == 1:
            self.scale.data.clamp_(min=_EPS)
        if self.fake_quant_enabled[0] == 0:
            return X
        if self.qscheme in _SYMMETRIC:
            self.zero_point.data.zero_()
        factor = 1.0 / math.sqrt(X.numel() * self.quant_max) if self.use_grad_scaling else 1.0
        axis = self.ch_axis if _is_per_channel(self.qscheme) else None
        return fake_quantize_learnable(X, self.scale, self.zero_point, axis, self.quant_min, self.quant_max, factor)


def enable_range_learning(mod: nn.Module) -> None:
    """For ``model.apply``: learnable fake quantizers train their ranges."""
    if isinstance(mod, LearnableFakeQuantize):
        mod.enable_range_learning()


def disable_range_learning(mod: nn.Module) -> None:
    """For ``model.apply``: learnable fake quantizers keep their ranges."""
    if isinstance(mod, LearnableFakeQuantize):
        mod.disable_range_learning()
