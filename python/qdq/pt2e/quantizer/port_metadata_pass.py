"""Gives quantize and dequantize nodes the stack trace and the quantization tag of the op that they serve."""

from .._passes import CorePass

__all__ = ["PortNodeMetaForQDQ"]


class PortNodeMetaForQDQ(CorePass):
    """The core's pass port_metadata."""

    _name = "port_metadata"
