"""What the quantizers for PyTorch's Inductor have in common; their recipes are the core's."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

import qdq

from ._bridge.annotations import SpecsToCore
from ._core_quantizer import CoreQuantizer, config_to_core
from ._specs import QuantizationAnnotation
from .quantizer.utils import QuantizationConfig

_ATEN = torch.ops.aten
_FUNCTION_TO_OP: dict[Callable[..., Any], Any] = {
    F.conv2d: _ATEN.conv2d.default,
    F.conv1d: _ATEN.conv1d.default,
    F.linear: _ATEN.linear.default,
    F.max_pool2d: _ATEN.max_pool2d.default,
    torch.cat: _ATEN.cat.default,
    F.avg_pool2d: _ATEN.avg_pool2d.default,
    F.adaptive_avg_pool2d: _ATEN.adaptive_avg_pool2d.default,
    torch.flatten: _ATEN.flatten.using_ints,
    torch.matmul: _ATEN.matmul.default,
    torch.mul: _ATEN.mul.Tensor,
}
_MODULE_TO_OP: dict[Callable[..., Any], Any] = {
    torch.nn.Conv2d: _ATEN.conv2d.default,
    torch.nn.Conv1d: _ATEN.conv1d.default,
    torch.nn.Linear: _ATEN.linear.default,
    torch.nn.MaxPool2d: _ATEN.max_pool2d.default,
    torch.nn.AvgPool2d: _ATEN.avg_pool2d.default,
    torch.nn.AdaptiveAvgPool2d: _ATEN.adaptive_avg_pool2d.default,
    torch.nn.Flatten: _ATEN.flatten.using_ints,
}


@dataclass
class InductorAnnotation(QuantizationAnnotation):
    """PyTorch's field, for code that looks at it."""

    _is_output_of_quantized_pattern: bool = False


class InductorQuantizer(CoreQuantizer):
    """The narrowest setting wins: module names, then module types and functions, then the global one. A setting of None
    keeps what it names in float."""

    _annotation = InductorAnnotation

    def __init__(self) -> None:
        super().__init__()
        self.global_config: QuantizationConfig | None = None
        self.operator_type_qconfig: dict[Any, QuantizationConfig | None] = {}
        self.module_name_qconfig: dict[str, QuantizationConfig | None] = {}

    @abstractmethod
    def _new_core_quantizer(self) -> Any:
        """The core's quantizer of the backend, without settings."""

    def _core_quantizer(self, to_core: SpecsToCore) -> qdq.Quantizer:
        core = self._new_core_quantizer()
        core.set_observe_masks(True)  # as PyTorch does
        if self.global_config is not None:
            core.set_global(config_to_core(self.global_config, to_core))
        for op, config in self.operator_type_qconfig.items():
            core.set_function_type(str(op), None if config is None else config_to_core(config, to_core))
        for name, config in self.module_name_qconfig.items():
            core.set_module_name(name, None if config is None else config_to_core(config, to_core))
        return core

    def _mode(self) -> tuple[bool, bool] | None:
        """(is_qat, is_dynamic) of what was set so far."""
        configs = [self.global_config, *self.operator_type_qconfig.values(), *self.module_name_qconfig.values()]
        return next((_mode_of(config) for config in configs if config is not None), None)

    def _accepts(self, config: QuantizationConfig | None, setting: str) -> bool:
        mode = self._mode()
        if config is None or mode is None or mode == _mode_of(config):
            return True
        warnings.warn(
            f"{setting} is skipped: (is_qat, is_dynamic) {mode} as set before expected, found {_mode_of(config)}",
            stacklevel=3,
        )
        return False

    def set_global(self, quantization_config: QuantizationConfig) -> Any:
        if self._accepts(quantization_config, "set_global"):
            self.global_config = quantization_config
        return self

    def get_global_quantization_config(self) -> QuantizationConfig | None:
        """What set_global was given; warns before that."""
        if self.global_config is None:
            warnings.warn("there is no global configuration: call set_global first", stacklevel=2)
        return self.global_config

    def set_module_name_qconfig(self, module_name: str, quantization_config: QuantizationConfig | None) -> Any:
        """For patterns that lie in the module of that path as a whole."""
        if self._accepts(quantization_config, f"set_module_name_qconfig('{module_name}')"):
            self.module_name_qconfig[module_name] = quantization_config
        return self

    def set_function_type_qconfig(
        self, function_type: Callable[..., Any], quantization_config: QuantizationConfig | None
    ) -> Any:
        """For calls of a torch function: F.conv2d, torch.matmul ..."""
        return self._set_op(_FUNCTION_TO_OP, function_type, quantization_config)

    def set_module_type_qconfig(
        self, module_type: Callable[..., Any], quantization_config: QuantizationConfig | None
    ) -> Any:
        """For modules of a class: torch.nn.Conv2d ..."""
        return self._set_op(_MODULE_TO_OP, module_type, quantization_config)

    def _set_op(self, ops: dict[Callable[..., Any], Any], key: Callable[..., Any], config: Any) -> Any:
        if key not in ops:
            warnings.warn(f"{key} is skipped: qdq has no recipe for it", stacklevel=3)
        elif self._accepts(config, f"the setting for {key}"):
            self.operator_type_qconfig[ops[key]] = config
        return self


def _mode_of(config: QuantizationConfig) -> tuple[bool, bool]:
    return config.is_qat, config.input_activation is not None and config.input_activation.is_dynamic
