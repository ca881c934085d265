"""A seed is all that a simulation depends on: the same trace in every process."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest

from tests.simulation.run import nothing, simulate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.virtual_time import World

SEEDS = (5000, 5001, 5002, 5003, 5005)
BUG = "wait_for_one_of_two"

_PLAY = """
import gc, sys
from tests.simulation.plants import BUGS
from tests.simulation.run import simulate
gc.set_threshold(int(sys.argv[1]))
digests = {seed: simulate(int(seed)).digest for seed in sys.argv[3:]}
print(*(digests[seed] for seed in sorted(digests)), simulate(5001, BUGS[sys.argv[2]].plant).digest)
"""


def digests(hash_seed: str, seeds: tuple[int, ...], often: int) -> list[str]:
    """Return the hashes of what happens in a process of its own, in the order of the seeds."""
    played = subprocess.run(
        [sys.executable, "-c", _PLAY, str(often), BUG, *map(str, seeds)],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=120,
    )
    return played.stdout.split()


def test_a_seed_gives_the_same_trace_in_every_process_and_after_any_other_seed() -> None:
    first = digests("1", SEEDS, 700)
    assert len(set(first)) == len(SEEDS) + 1
    assert first == digests("2", SEEDS[::-1], 150)


def test_the_hash_tells_one_throw_of_dice_more() -> None:
    @contextmanager
    def one_more(world: World) -> Iterator[None]:
        yield
        world.random.random()

    assert simulate(5002).digest == simulate(5002, nothing).digest
    assert simulate(5002).digest != simulate(5002, one_more).digest


@pytest.fixture
def unlogged() -> Iterator[None]:
    """Keep ``logging`` from stamping records with the real time, which nobody reads."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.usefixtures("unlogged")
@pytest.mark.parametrize("edge", ["time.time", "time.monotonic", "os.urandom", "random.random"])
def test_nothing_in_a_simulated_world_asks_the_real_one(edge: str) -> None:
    def real(*_arguments: object) -> float:
        raise AssertionError(f"{edge} has been asked")

    with patch(edge, real):
        assert not simulate(5003).violations
