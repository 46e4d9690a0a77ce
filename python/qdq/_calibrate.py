"""The loop over the data, with its progress bar."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence, Sized
from typing import Any, Literal

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
    accuracy: Literal["fast", "balanced", "best"] = "fast",
    fold_quantize: bool = True,
    workers: int = 1,
    progress: bool | Callable[[int], None] = False,
) -> _core.Program:
    """prepare, calibrate and convert in one call. `program` stays as it is.

    quantizer: a Quantizer, or a name that quantizer_by_name knows, which gets what the preset asks for (scales per channel).
    accuracy: which algorithms win accuracy back, as `qdq quantize --accuracy`; beyond "fast" the batches are kept in memory.
    The rest as in calibrate() and convert().
    """
    chosen = _core._quantizer_for(quantizer, accuracy) if isinstance(quantizer, str) else quantizer
    if accuracy == "fast":
        prepared = _core.prepare(program, chosen)
        calibrate(prepared, batches, workers=workers, progress=progress)
        return _core.convert(prepared, fold_quantize)
    kept = list(batches)
    prepared = _core._prepare_improved(program, chosen, accuracy, kept)
    calibrate(prepared, kept, workers=workers, progress=progress)
    _core._improve(prepared, accuracy, kept)
    return _core.convert(prepared, fold_quantize)


def run(program: _core.Program, inputs: Sequence[Any], *, executor: str = "fast", threads: int = 0) -> list[_core.Tensor]:
    """Runs a program once: one array per user input, in order. For many runs make a Session.

    Takes NaNs; raises as Session and Session.run do otherwise.
    """
    return _core.Executor(program, executor, threads).run(inputs)
