# ruff: noqa: INP001 - a script of this repository, not a package
"""Looks for broken promises for as long as one likes: ``make torture``.

The parts are named on the command line; without names all are played. ``seeds`` plays many seeds
of the simulation in ``tests/simulation`` and ``bugs`` says which seed finds each planted bug.
``tabs`` lets ``--times`` honest browsers with many tabs, and as many thieves, live on each kind of
store (``tests/tabs``). The others, those of ``tests/faults/parts.py``, hurt real processes and
stores: ``--times`` is how often, ``--delta`` the staleness bound in seconds.

``--seeds`` of them beginning with ``--first`` are played in ``--jobs`` processes. ``--bug NAME``
plants one of the bugs that the checker has to find, ``--trace`` prints what happened in the first
seed; with any of these the part is ``seeds`` unless others are named. ``--bugs`` is ``bugs``.

Exits with 1 if a promise was broken, and says where. In the table, ``acked`` are revocations that
were acknowledged, ``lost`` those of them that do not hold at the end, ``late`` the acceptances that
began more than the bound after an acknowledgement; ``alarm``, ``refill`` and ``recovery`` are the
worst of each in seconds, without the time in which the machine let nobody run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.faults.parts import PARTS
from tests.simulation.plants import BUGS
from tools.torture_faults import Faults
from tools.torture_seeds import find_bugs, play, play_seeds, trace
from tools.torture_tabs import play_tabs

_SEEDS = 1000


def main() -> int:
    """Do what the command line says."""
    names = [*PARTS, "tabs", "seeds", "bugs"]
    parser = argparse.ArgumentParser(description="Look for broken promises.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(names))
    parser.add_argument("--times", type=int)
    parser.add_argument("--delta", type=float)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--first", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--bug", choices=sorted(BUGS))
    parser.add_argument("--bugs", action="store_true")
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(names):
        parser.error(f"{', '.join(sorted(unknown))}: the parts are {', '.join(names)}")
    parts = options.parts or names
    if options.bugs:
        parts = [*options.parts, "bugs"]
    elif not options.parts and (options.bug, options.seeds, options.first) != (None,) * 3:
        parts = ["seeds"]
    first = options.first or 0
    if options.trace:
        return trace(play(options.bug, first))
    seeds = range(first, first + (_SEEDS if options.seeds is None else options.seeds))
    faults = Faults(options.times, options.delta)
    broken = 0
    for part in parts:
        if part == "seeds":
            broken |= play_seeds(seeds, options.jobs, options.bug)
        elif part == "bugs":
            broken |= find_bugs(seeds, options.jobs)
        elif part == "tabs":
            broken |= play_tabs(options.times, first)
        else:
            faults.play(part)
    return broken | faults.report()


if __name__ == "__main__":
    sys.exit(main())
