"""PyTorch's XNNPACKQuantizer, over the core's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import qdq

from .._bridge.annotations import SpecsToCore
from .._core_quantizer import CoreQuantizer, config_from_core, config_to_core
from .xnnpack_quantizer_utils import IN_FLOAT, OP_TO_ANNOTATOR, OperatorPatternType, QuantizationConfig, propagate_annotation

__all__ = [
    "OP_TO_ANNOTATOR",
    "QuantizationConfig",
    "XNNPACKQuantizer",
    "get_symmetric_quantization_config",
    "propagate_annotation",
]


@functools.lru_cache
def get_symmetric_quantization_config(
    is_per_channel: bool = False,
    is_qat: bool = False,
    is_dynamic: bool = False,
    act_qmin: int = -128,
    act_qmax: int = 127,
    weight_qmin: int = -127,
    weight_qmax: int = 127,
) -> QuantizationConfig:
    """int8 affine activations, int8 symmetric weights. is_qat: fake quantizers in place of observers."""
    config = qdq.symmetric_config(is_per_channel, is_dynamic, act_qmin, act_qmax, weight_qmin, weight_qmax)
    return config_from_core(config, is_qat, QuantizationConfig)


class XNNPACKQuantizer(CoreQuantizer):
    """Convolutions, linears, additions, multiplications, pooling, cat. The narrowest setting wins: module names, then
    module types, then the global one."""

    def __init__(self) -> None:
        super().__init__()
        self.global_config: QuantizationConfig | None = None
        self.operator_type_config: dict[Any, QuantizationConfig | None] = {}
        self.module_type_config: dict[Callable[..., Any], QuantizationConfig | None] = {}
        self.module_name_config: dict[str, QuantizationConfig | None] = {}

    def set_global(self, quantization_config: QuantizationConfig) -> XNNPACKQuantizer:
        self.global_config = quantization_config
        return self

    def set_operator_type(self, operator_type: Any, quantization_config: QuantizationConfig) -> XNNPACKQuantizer:
        """Kept and, as in PyTorch, not used."""
        self.operator_type_config[operator_type] = quantization_config
        return self

    def set_module_type(
        self, module_type: Callable[..., Any], quantization_config: QuantizationConfig | None
    ) -> XNNPACKQuantizer:
        """For everything inside modules of that class; None keeps it in float."""
        self.module_type_config[module_type] = quantization_config
        return self

    def set_module_name(self, module_name: str, quantization_config: QuantizationConfig | None) -> XNNPACKQuantizer:
        """For everything inside the module of that dotted path."""
        if quantization_config is None:
            raise AssertionError("set_module_name: a configuration expected, found None")
        self.module_name_config[module_name] = quantization_config
        return self

    def _core_quantizer(self, to_core: SpecsToCore) -> qdq.Quantizer:
        core = qdq.XnnpackQuantizer()
        core.set_observe_masks(True)  # as PyTorch does
        if self.global_config is not None:
            core.set_global(config_to_core(self.global_config, to_core))
        for kind, config in self.module_type_config.items():
            core.set_module_type(f"{kind.__module__}.{kind.__qualname__}", config_to_core(config or IN_FLOAT, to_core))
        for name, config in self.module_name_config.items():
            core.set_module_name(name, config_to_core(config or IN_FLOAT, to_core))
        return core

    @classmethod
    def get_supported_operators(cls) -> list[OperatorPatternType]:
        return []
