"""A process of a scene, as whoever holds the scene sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tests.children import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.settings import Settings

_BEAT = 0.01


class Actor:
    """One process of a scene."""

    def __init__(self, program: str, settings: Settings, prefix: Sequence[str] = ()) -> None:
        self.name = settings.name
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        words = [sys.executable, "-m", f"tests.faults.{program}", json.dumps(asdict(settings))]
        with (Path(settings.folder) / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*prefix, *words],
                cwd=ROOT,
                env=dict(os.environ) | {"PYTHONPATH": path},
                stdin=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def tell(self, order: str) -> None:
        """Give an order; that it has been followed stands in the diary."""
        assert self._process.stdin is not None
        self._process.stdin.write(order + "\n")
        self._process.stdin.flush()

    def suspend(self) -> None:
        """Stop the process in its tracks, and return when it stands."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def wake(self) -> None:
        """Let a suspended process go on."""
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End the process at once, as kill -9 does."""
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()

    @property
    def runs(self) -> bool:
        return self._process.poll() is None


class Metronome:
    """Measures for how long the machine did not let this process run when it wanted to."""

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._measure, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def late_between(self, begin: float, end: float) -> float:
        """Return for how long that was between two moments, in seconds."""
        return sum(max(0.0, min(until, end) - max(since, begin)) for since, until in self._late)

    def _measure(self) -> None:
        while not self._over.is_set():
            began = time.monotonic()
            self._over.wait(_BEAT)
            now = time.monotonic()
            if now - began > 2 * _BEAT:
                self._late.append((began + _BEAT, now))
