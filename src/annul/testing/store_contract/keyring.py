"""The keyring: replaced by compare-and-swap, and published beside it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from annul.stores.base import PublishedKeys, StoredRing
from annul.testing.store_contract.bench import scenario

if TYPE_CHECKING:
    from annul.testing.store_contract.bench import Bench


def _ring(version: int, maker: str = "") -> StoredRing:
    return StoredRing(version, f'{{"sealed":"{maker}{version}"}}', f'{{"keys":["{maker}é"]}}')


class Keyring:
    """What ``ring``, ``swap_ring`` and ``published_keys`` promise."""

    @scenario
    async def test_there_is_no_key_before_the_first(self, bench: Bench) -> None:
        assert await bench.store.ring() is None
        assert await bench.store.published_keys() == PublishedKeys(0, '{"keys":[]}')

    @scenario
    async def test_a_ring_replaces_the_one_it_expects(self, bench: Bench) -> None:
        for version in (1, 2, 7):
            ring = _ring(version)
            before = await bench.store.ring()

            assert await bench.store.swap_ring(0 if before is None else before.version, ring)

            assert await bench.open().ring() == ring
            assert await bench.open().published_keys() == PublishedKeys(version, ring.jwks)

    @pytest.mark.parametrize("expected", [0, 1, 3, 4])
    @scenario
    async def test_a_ring_that_expects_another_does_nothing(
        self, bench: Bench, expected: int
    ) -> None:
        await bench.store.swap_ring(0, _ring(1))
        await bench.store.swap_ring(1, _ring(2))

        assert not await bench.open().swap_ring(expected, _ring(expected + 1, "late"))

        assert await bench.store.ring() == _ring(2)
        assert await bench.store.published_keys() == PublishedKeys(2, _ring(2).jwks)

    @scenario
    async def test_a_first_ring_cannot_expect_another(self, bench: Bench) -> None:
        assert not await bench.store.swap_ring(1, _ring(2))
        assert await bench.store.ring() is None

    @scenario
    async def test_of_concurrent_swaps_one_wins(self, bench: Bench) -> None:
        await bench.store.swap_ring(0, _ring(1))
        rings = [_ring(2, f"maker {n} ") for n in range(8)]

        swapped = await asyncio.gather(*(bench.open().swap_ring(1, ring) for ring in rings))

        (winner,) = (ring for ring, won in zip(rings, swapped, strict=True) if won)
        assert await bench.store.ring() == winner
