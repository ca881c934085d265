"""annul keeps its promises in a simulated world, whatever goes wrong there: some of many seeds.

``python tools/torture.py --seeds 10000`` plays more of them. A seed that fails here fails there.
"""

from __future__ import annotations

import pytest

from tests.simulation.run import profile_of, simulate

CHUNKS = 20
SEEDS_PER_CHUNK = 8


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_no_seed_breaks_a_promise(chunk: int) -> None:
    for seed in range(chunk * SEEDS_PER_CHUNK, (chunk + 1) * SEEDS_PER_CHUNK):
        result = simulate(seed)
        assert not result.violations, f"seed {seed}: {result.violations[:3]}"
        assert result.answers > 0


@pytest.mark.parametrize("seed", range(5000, 5004))
def test_the_same_seed_gives_the_same_trace_twice(seed: int) -> None:
    assert simulate(seed).digest == simulate(seed).digest


def test_different_seeds_give_different_traces() -> None:
    assert len({simulate(seed).digest for seed in range(5000, 5006)}) == 6


def test_every_kind_of_store_and_trouble_has_its_turn() -> None:
    kinds = {profile_of(seed) for seed in range(SEEDS_PER_CHUNK)}
    assert kinds == {"durable", "replicated", "unsafe", "long"}


def test_tokens_are_accepted_in_the_simulated_world() -> None:
    results = [simulate(seed) for seed in range(6000, 6004)]
    assert all(result.accepted > 20 for result in results)
