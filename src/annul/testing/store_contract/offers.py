"""The lease table and the inbox: who is listening, and what they give back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from annul.core.revocation import Kind, Position
from annul.stores.base import MOST_OFFERS, Lease
from annul.testing.store_contract.bench import scenario

if TYPE_CHECKING:
    from annul.core.revocation import Revocation
    from annul.testing.store_contract.bench import Bench


class Offers:
    """What ``renew`` tells about a lease, and what ``expel``, ``offer`` and ``settle`` promise."""

    @scenario
    async def test_a_renewal_is_told_which_beat_it_replaces(self, bench: Bench) -> None:
        lease = Lease(id="a", watermark=None, max_staleness=2.0, beat=1)
        other = bench.open()

        first = await bench.store.renew(lease)
        await other.renew(replace(lease, id="b", beat=9))
        second = await bench.store.renew(replace(lease, beat=2))
        third = await other.renew(replace(lease, beat=3))

        told = [renewal and renewal.previous for renewal in (first, second, third)]
        assert told == [None, 1, 2]

    @scenario
    async def test_a_lease_stands_in_the_table_as_it_was_written(self, bench: Bench) -> None:
        entry = await bench.revoke(Kind.TOKEN, "one")
        lease = Lease(
            id="a",
            watermark=entry.watermark,
            max_staleness=1.5,
            label="host:1",
            beat=12,
            highest=Position(entry.position.epoch, 1),
        )

        await bench.store.renew(lease)

        assert await bench.open().leases() == (lease,)

    @scenario
    async def test_only_a_lease_that_was_not_renewed_is_expelled(self, bench: Bench) -> None:
        silent = Lease(id="a", watermark=None, max_staleness=2.0, beat=5)
        alive = replace(silent, id="b")
        await bench.store.renew(silent)
        await bench.store.renew(alive)
        renewed = replace(alive, beat=6)
        await bench.open().renew(renewed)

        await bench.store.expel(silent)
        await bench.store.expel(alive)
        await bench.store.expel(silent)

        assert await bench.store.leases() == (renewed,)

    @scenario
    async def test_what_is_offered_lies_in_the_inbox_until_it_is_settled(
        self, bench: Bench
    ) -> None:
        entries = [await self._lost(bench, number) for number in range(3)]
        replica = bench.open()
        before = await bench.log()

        await replica.offer(entries[:2])
        await replica.offer(entries)

        assert await bench.store.offers() == tuple(entries)
        assert await bench.log() == before
        await bench.store.settle(entries[:1])
        assert await bench.store.offers() == tuple(entries[1:])
        await bench.store.settle(entries)
        await bench.store.settle(())
        assert await bench.store.offers() == ()

    @scenario
    async def test_the_inbox_is_bounded(self, bench: Bench) -> None:
        entry = await self._lost(bench, 0)
        many = [replace(entry, tag=number.to_bytes(16, "big")) for number in range(MOST_OFFERS + 9)]

        await bench.store.offer(many)

        assert len(await bench.store.offers()) == MOST_OFFERS

    @staticmethod
    async def _lost(bench: Bench, number: int) -> Revocation:
        entry = await bench.revoke(Kind.SUBJECT, f"user {number} é", actor="root")
        return replace(
            entry,
            tag=f"lost {number}".encode().ljust(16),
            position=Position(entry.position.epoch, entry.position.seq + 1000),
            proof=b"\0proof\xff",
            lifts=(b"\x01" * 16, b"\x02" * 16) if number == 1 else (),
        )
