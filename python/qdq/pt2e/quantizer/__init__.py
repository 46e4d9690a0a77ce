"""Quantizers and what they say."""

from .._specs import (
    DerivedQuantizationSpec,
    EdgeOrNode,
    FixedQParamsQuantizationSpec,
    QuantizationAnnotation,
    QuantizationSpec,
    QuantizationSpecBase,
    Quantizer,
    SharedQuantizationSpec,
)
from .composable_quantizer import ComposableQuantizer
from .duplicate_dq_pass import DuplicateDQPass
from .embedding_quantizer import EmbeddingQuantizer
from .port_metadata_pass import PortNodeMetaForQDQ
from .utils import get_module_name_filter

__all__ = [
    "ComposableQuantizer",
    "DerivedQuantizationSpec",
    "DuplicateDQPass",
    "EdgeOrNode",
    "EmbeddingQuantizer",
    "FixedQParamsQuantizationSpec",
    "PortNodeMetaForQDQ",
    "QuantizationAnnotation",
    "QuantizationSpec",
    "QuantizationSpecBase",
    "Quantizer",
    "SharedQuantizationSpec",
    "get_module_name_filter",
]
