"""Granularities on their way to the core."""

from __future__ import annotations

from typing import Any

import qdq


def core_granularity(granularity: Any) -> Any:
    """torchao's and ours have the same names and fields."""
    kind = getattr(qdq, type(granularity).__name__)
    return kind(*vars(granularity).values())
