"""The XNNPACK quantizer under the module name of PyTorch's test helpers."""

from ..quantizer.xnnpack_quantizer import XNNPACKQuantizer, get_symmetric_quantization_config

__all__ = ["XNNPACKQuantizer", "get_symmetric_quantization_config"]
