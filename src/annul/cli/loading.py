"""A line on a terminal that says how far a large log has been read, while a command waits."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from annul.cli.output import Output

__all__ = ["Bar", "line", "loading"]

_PATIENCE = 0.5
_EVERY = 0.1
_CELLS = 24
_ERASE = "\r\x1b[K"


def line(read: int, about: int | None) -> str:
    """Return what to show when so many of at most ``about`` entries have been read."""
    if about is None:
        return f"reading revocations: {read:,}"
    share = read / max(about, 1)
    full = int(share * _CELLS)
    return (
        f"reading revocations: [{'=' * full}{' ' * (_CELLS - full)}] {share:4.0%}"
        f"  {read:,} of {about:,}"
    )


class Bar:
    """Draws that line, if it takes long enough to be worth it, and takes it away at the end.

    It is told from another thread, perhaps even after the end.
    """

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._due = clock() + _PATIENCE
        self._is_drawn = False
        self._is_over = False

    def __call__(self, read: int, about: int | None) -> None:
        """Take note of how far it is."""
        with self._lock:
            now = self._clock()
            if self._is_over or now < self._due:
                return
            self._due = now + _EVERY
            self._is_drawn = True
            self._stream.write(_ERASE + line(read, about))
            self._stream.flush()

    def close(self) -> None:
        """Leave the terminal as it was; draw nothing any more."""
        with self._lock:
            self._is_over = True
            if self._is_drawn:
                self._is_drawn = False
                self._stream.write(_ERASE)
                self._stream.flush()


@contextmanager
def loading(out: Output) -> Iterator[Bar | None]:
    """Return what to tell progress to while the block runs; ``None`` if nobody watches stderr."""
    if out.as_json or not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        yield None
        return
    bar = Bar(sys.stderr, time.monotonic)
    try:
        yield bar
    finally:
        bar.close()
