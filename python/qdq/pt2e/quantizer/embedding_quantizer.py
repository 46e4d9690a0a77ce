"""PyTorch's EmbeddingQuantizer, over the core's."""

from __future__ import annotations

import torch
import torch.nn.functional as F

import qdq

from .._bridge.annotations import SpecsToCore
from .._core_quantizer import CoreQuantizer, config_from_core
from .utils import OperatorConfig, OperatorPatternType, QuantizationConfig

__all__ = ["EmbeddingQuantizer", "get_embedding_operators_config"]


def get_embedding_operators_config() -> OperatorConfig:
    """uint8 tables with a float scale and zero point for each row."""
    return OperatorConfig(config_from_core(qdq.embedding_config()), [[torch.nn.Embedding], [F.embedding]])


class EmbeddingQuantizer(CoreQuantizer):
    """The tables of embeddings, nothing else."""

    @classmethod
    def get_supported_quantization_configs(cls) -> list[QuantizationConfig]:
        return [get_embedding_operators_config().config]

    @classmethod
    def get_supported_operators(cls) -> list[OperatorConfig]:
        return [get_embedding_operators_config()]

    @classmethod
    def get_supported_operator_for_quantization_config(
        cls, quantization_config: QuantizationConfig
    ) -> list[OperatorPatternType]:
        return [pattern for _, patterns in cls.get_supported_operators() for pattern in patterns]

    def _core_quantizer(self, to_core: SpecsToCore) -> qdq.Quantizer:
        return qdq.EmbeddingQuantizer()
