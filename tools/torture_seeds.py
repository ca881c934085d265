# ruff: noqa: INP001 - a script of this repository, not a package
"""The parts of ``tools/torture.py`` that play the simulation in ``tests/simulation``."""

from __future__ import annotations

import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from tests.simulation.plants import BUGS
from tests.simulation.run import Result, nothing, simulate

_CHUNK = 20


@dataclass
class Tally:
    """What came of the seeds of one profile."""

    seeds: int = 0
    answers: int = 0
    accepted: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    examples: dict[str, int] = field(default_factory=dict)

    def add(self, result: Result) -> None:
        """Count one seed."""
        self.seeds += 1
        self.answers += result.answers
        self.accepted += result.accepted
        for rule in sorted({violation.rule for violation in result.violations}):
            self.broken[rule] += 1
            self.examples.setdefault(rule, result.seed)


def play(bug: str | None, seed: int) -> Result:
    """Play one seed, with a planted bug or without."""
    return simulate(seed, BUGS[bug].plant if bug else nothing)


def play_seeds(seeds: range, jobs: int, bug: str | None) -> int:
    """Play seeds and print the table; return the exit code."""
    tallies: dict[str, Tally] = {}
    began = time.monotonic()  # noqa: TID251 - it measures itself
    with ProcessPoolExecutor(jobs) as pool:
        for result in pool.map(partial(play, bug), seeds, chunksize=_CHUNK):
            tallies.setdefault(result.profile, Tally()).add(result)
    took = time.monotonic() - began  # noqa: TID251 - it measures itself
    return report(tallies, took)


def first_find(seeds: range, bug: str) -> tuple[str, int | None, str]:
    """Return the first seed that finds a planted bug and nothing without it, and what it finds."""
    for seed in seeds:
        found = play(bug, seed).violations
        if found and not play(None, seed).violations:
            return bug, seed, found[0].rule
    return bug, None, "not found"


def find_bugs(seeds: range, jobs: int) -> int:
    """Print which seed finds each planted bug."""
    missed = 0
    with ProcessPoolExecutor(jobs) as pool:
        for bug, seed, rule in pool.map(partial(first_find, seeds), sorted(BUGS)):
            missed += seed is None
            sys.stdout.write(f'    "{bug}": ({seed},),  # {rule}\n')
            sys.stdout.flush()
    sys.stdout.write(f"{len(BUGS) - missed} of {len(BUGS)} found\n")
    return 1 if missed else 0


def trace(result: Result) -> int:
    """Print everything that happened in one seed."""
    lines = [*result.trace, *(f"! {violation}" for violation in result.violations)]
    sys.stdout.write("\n".join([*lines, f"{result.profile} {result.digest}", ""]))
    return bool(result.violations)


def report(tallies: dict[str, Tally], took: float) -> int:
    """Print the table; return the exit code."""
    rows = [f"{'profile':<12}{'seeds':>8}{'verified':>12}{'accepted':>12}{'broken':>8}"]
    seeds = broken = 0
    for name, tally in sorted(tallies.items()):
        count = tally.broken.total()
        rows.append(f"{name:<12}{tally.seeds:>8}{tally.answers:>12}{tally.accepted:>12}{count:>8}")
        seeds, broken = seeds + tally.seeds, broken + count
        rows += [
            f"  {rule}: {tally.broken[rule]} seeds, {seed} for one"
            for rule, seed in sorted(tally.examples.items())
        ]
    rows.append(f"{seeds} seeds in {took:.0f} s, {seeds / took:.1f} seeds/s")
    sys.stdout.write("\n".join([*rows, ""]))
    return 1 if broken else 0
