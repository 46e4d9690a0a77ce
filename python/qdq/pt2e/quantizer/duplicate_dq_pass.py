"""Gives every annotated consumer its own dequantize."""

from .._passes import CorePass

__all__ = ["DuplicateDQPass"]


class DuplicateDQPass(CorePass):
    """The core's pass duplicate_dq."""

    _name = "duplicate_dq"
