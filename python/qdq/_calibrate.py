"""The loop over the data, with its progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Sized
from typing import Any

from . import _core
from ._progress import ProgressBar


def calibrate(
    prepared: _core.PreparedProgram,
    batches: Iterable[Any],
    *,
    workers: int = 1,
    progress: bool | Callable[[int], None] = False,
) -> int:
    """Runs all batches through a prepared program; its observers watch. Returns the number of batches.

    batches: each an array, or a tuple or list with one array per user input (numpy, torch, qdq.Tensor).
    workers: batches that run at the same time; what the observers know at the end does not depend on it.
    progress: True shows a bar in terminals and notebooks; a function is called with the number of batches done.

    Raises InvalidArgumentError for inputs of the wrong number, rank, dtype or size. Ctrl-C stops it.
    """
    if callable(progress):
        return prepared._calibrate(batches, workers, progress)
    if not progress:
        return prepared._calibrate(batches, workers)
    total = len(batches) if isinstance(batches, Sized) else None
    with ProgressBar("calibrate", total) as bar:
        return prepared._calibrate(batches, workers, bar.show)


def quantize(
    program: _core.Program,
    quantizer: _core.Quantizer | str,
    batches: Iterable[Any],
    *,
    fold_quantize: bool = True,
    workers: int = 1,
    progress: bool | Callable[[int], None] = False,
) -> _core.Program:
    """prepare, calibrate and convert in one call. `program` stays as it is.

    quantizer: a Quantizer, or a name that quantizer_by_name knows. The rest as in calibrate() and convert().
    """
    chosen = _core.quantizer_by_name(quantizer) if isinstance(quantizer, str) else quantizer
    prepared = _core.prepare(program, chosen)
    calibrate(prepared, batches, workers=workers, progress=progress)
    return _core.convert(prepared, fold_quantize)


def run(program: _core.Program, inputs: Sequence[Any], *, executor: str = "fast", threads: int = 0) -> list[_core.Tensor]:
    """Runs a program once: one array per user input, in order. For many runs make a Session.

    Raises as Session and Session.run do.
    """
    return _core.Session(program, executor, threads).run(inputs)
