# ruff: noqa: INP001 - a script of this repository, not a package
"""The parts of ``tools/torture.py`` that hurt real processes and stores: ``tests/faults``."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.parts import PARTS, play

if TYPE_CHECKING:
    from tests.faults.harness import Verdict
    from tests.faults.parts import Play

_HEAD = (
    f"{'part':<36}{'amount':>7}{'acked':>8}{'lost':>6}{'late':>6}"
    f"{'alarm':>8}{'refill':>8}{'recovery':>10}{'seconds':>9}"
)
_SHOWN = 5


class Faults:
    """Plays parts, and remembers the rows of the table."""

    def __init__(self, times: int | None, delta: float | None) -> None:
        self._times = times
        self._delta = delta
        self._rows: list[str] = []
        self.broken = 0

    def play(self, part: str) -> None:
        """Play one part."""
        for what in PARTS[part]:
            self._play(part, what)

    def _play(self, part: str, what: Play) -> None:
        delta = what.delta if self._delta is None else self._delta
        kind = getattr(what.store, "__name__", "").partition("_")[0]
        name = f"{part}, {kind}, delta {delta:g}"
        say(f"{name} ...")
        began = time.monotonic()  # noqa: TID251 - it measures itself
        try:
            verdict = play(what, self._times, delta)
        except pytest.skip.Exception as skipped:
            self._rows.append(f"{name:<36}  skipped: {skipped.msg}")
            return
        except AssertionError as stuck:
            # What a story waits for has to happen, so it is a broken promise that it has not.
            self._rows.append(f"{name:<36}  stuck: {stuck}")
            self.broken += 1
            say(self._rows[-1])
            return
        took = time.monotonic() - began  # noqa: TID251 - it measures itself
        self.broken += len(verdict.violations)
        rows = [row(name, verdict, took)]
        rows += [f"  {found.rule}: {found.what}" for found in verdict.violations[:_SHOWN]]
        self._rows += rows
        say(*rows)

    def report(self) -> int:
        """Print the table; return the exit code."""
        if self._rows:
            say("", _HEAD, *self._rows)
        return 1 if self.broken else 0


def row(name: str, verdict: Verdict, took: float) -> str:
    """Return one line of the table."""
    times = "".join(
        f"{'-' if value is None else f'{value:.3f}':>{width}}"
        for value, width in ((verdict.alarm, 8), (verdict.refill, 8), (verdict.recovery, 10))
    )
    return (
        f"{name:<36}{verdict.amount:>7}{verdict.acknowledged:>8}{verdict.lost:>6}{verdict.late:>6}"
        f"{times}{took:>9.0f}"
    )


def say(*lines: str) -> None:
    """Print lines at once, for whoever is waiting."""
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()
