"""torch.export's programs to ours and back. torch is imported when they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import _core

if TYPE_CHECKING:
    import torch


def from_exported_program(exported: torch.export.ExportedProgram) -> _core.Program:
    raise NotImplementedError


def to_exported_program(program: _core.Program) -> torch.export.ExportedProgram:
    raise NotImplementedError
