"""What quantization by blocks is described with: granularities, mapping types (torchao.quantization's names)."""

from __future__ import annotations

import enum
from dataclasses import dataclass

__all__ = [
    "Granularity",
    "MappingType",
    "PerAxis",
    "PerBlock",
    "PerGroup",
    "PerRow",
    "PerTensor",
    "PerToken",
    "TorchAODType",
    "ZeroPointDomain",
]


class MappingType(enum.Enum):
    """How bounds become a scale and a zero point (docs/numerics.md)."""

    SYMMETRIC = enum.auto()
    SYMMETRIC_NO_CLIPPING_ERR = enum.auto()
    ASYMMETRIC = enum.auto()


class ZeroPointDomain(enum.Enum):
    """What a zero point is: an integer, the real number that the middle of the range stands for, or absent."""

    INT = enum.auto()
    FLOAT = enum.auto()
    NONE = enum.auto()


class TorchAODType(enum.Enum):
    """Integers below 8 bits, for torch without them."""

    INT1 = enum.auto()
    INT2 = enum.auto()
    INT3 = enum.auto()
    INT4 = enum.auto()
    INT5 = enum.auto()
    INT6 = enum.auto()
    INT7 = enum.auto()


@dataclass(frozen=True)
class Granularity:
    """How a tensor is cut into blocks that share one scale and zero point."""


@dataclass(frozen=True)
class PerTensor(Granularity):
    """One block."""


@dataclass(frozen=True)
class PerAxis(Granularity):
    """One block for each index of `axis`."""

    axis: int


@dataclass(frozen=True)
class PerGroup(Granularity):
    """Runs of `group_size` elements of the last dimension."""

    group_size: int


@dataclass(frozen=True)
class PerRow(Granularity):
    """Dimension `dim` as a whole."""

    dim: int = -1


@dataclass(frozen=True)
class PerToken(Granularity):
    """The last dimension as a whole."""


@dataclass(frozen=True)
class PerBlock(Granularity):
    """Blocks of these sizes, of the last dimensions where there are fewer of them."""

    block_size: tuple[int, ...]
