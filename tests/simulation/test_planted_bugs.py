"""The checker has teeth: it finds every planted bug, by seeds that the code itself passes."""

from __future__ import annotations

import functools

import pytest

from tests.simulation.plants import BUGS, SEEDS, Bug
from tests.simulation.run import simulate

WIDER = 60
"""How many seeds more are tried where the recorded ones find nothing any more."""


@functools.cache
def passes(seed: int) -> bool:
    return not simulate(seed).violations


def seeds_of(bug: Bug) -> list[int]:
    recorded = SEEDS[bug.name]
    return [*recorded, *(seed for seed in range(WIDER) if seed not in recorded)]


def test_each_of_more_than_fifty_bugs_says_why_it_is_one_and_has_a_seed() -> None:
    assert len(BUGS) >= 55
    assert all(bug.why for bug in BUGS.values())
    assert SEEDS.keys() == BUGS.keys()


@pytest.mark.parametrize("bug", BUGS.values(), ids=lambda bug: bug.name)
def test_the_checker_finds(bug: Bug) -> None:
    for seed in seeds_of(bug):
        if simulate(seed, bug.plant).violations:
            assert passes(seed), f"seed {seed} finds something without {bug.name}, too"
            return
    pytest.fail(f"no seed finds {bug.name}: {bug.why}")
