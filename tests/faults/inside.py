"""What the programs of a scene have in common: orders on their input, and a clock that leaps."""

from __future__ import annotations

import queue
import sys
import threading
import time


class LeapingClock:
    """The wall clock, and by how much it has been set forward."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Orders:
    """What has come on the input, read on a thread of its own."""

    def __init__(self) -> None:
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            self._lines.put(line.strip())
        self._lines.put("end")  # nobody is there any more to give one

    def next(self, within: float) -> str | None:
        """Return the next order, or ``None`` when so many seconds have passed without one."""
        try:
            return self._lines.get(timeout=within)
        except queue.Empty:
            return None
