"""A line that says how far a loop is: on terminals and in notebooks, and only once it has taken a while."""

from __future__ import annotations

import sys
import time
from typing import TextIO

_WIDTH = 20
_QUIET_SECONDS = 2.0  # short work shows nothing
_REFRESH_SECONDS = 0.1


def _is_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


class ProgressBar:
    """``with ProgressBar("calibrate", 100) as bar: bar.show(done)``. total=None: the number is not known."""

    def __init__(self, what: str, total: int | None, stream: TextIO | None = None) -> None:
        self._what = what
        self._total = total
        self._stream = stream if stream is not None else sys.stderr
        self._enabled = self._stream.isatty() or _is_notebook()
        self._start = self._latest = time.monotonic()
        self._length = 0  # of the line on the screen

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *exception: object) -> None:
        self._write("")

    def show(self, done: int) -> None:
        now = time.monotonic()
        if not self._enabled or now - self._start < _QUIET_SECONDS or now - self._latest < _REFRESH_SECONDS:
            return
        self._latest = now
        self._write(progress_line(self._what, done, self._total, now - self._start))

    def _write(self, line: str) -> None:
        if not line and not self._length:
            return
        self._stream.write("\r" + line.ljust(self._length) + ("" if line else "\r"))
        self._stream.flush()
        self._length = len(line)


def progress_line(what: str, done: int, total: int | None, seconds: float) -> str:
    """``calibrate  [#####---------------]  25 / 100  6 s left``"""
    if total is None:
        return f"{what}  {done:,}  {seconds:.0f} s"
    filled = _WIDTH * done // max(total, 1)
    left = seconds / done * (total - done) if done else 0.0
    return f"{what}  [{'#' * filled}{'-' * (_WIDTH - filled)}]  {done:,} / {total:,}  {left:.0f} s left"
