"""What a replica lives on: its lease, the head, the store's time, and the doorbell."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from annul.core.revocation import Kind
from annul.stores.base import Diverged, Lease, StoredRing
from annul.testing.samples import NOW, sample_draft
from annul.testing.store_contract.bench import scenario

if TYPE_CHECKING:
    from annul.testing.store_contract.bench import Bench

_SOON = 5.0
_LONG = 30.0


def _lease(name: str, **fields: object) -> Lease:
    return Lease(id=name, **{"watermark": None, "max_staleness": 2.0, **fields})  # type: ignore[arg-type]


class Following:
    """What ``renew``, ``release``, ``leases`` and ``wait`` promise."""

    @scenario
    async def test_a_renewal_is_in_the_table(self, bench: Bench) -> None:
        entry = await bench.revoke(Kind.TOKEN, "jti")
        leases = {
            _lease("one"),
            _lease("two", watermark=entry.watermark, max_staleness=0.25, label="wörk:1 {x}"),
        }

        for lease in leases:
            await bench.open().renew(lease)

        table = await bench.store.leases()
        assert len(table) == len(leases)
        assert set(table) == leases

    @scenario
    async def test_a_renewal_replaces_the_one_before(self, bench: Bench) -> None:
        head = (await bench.store.snapshot()).watermark
        await bench.store.renew(_lease("one", watermark=head, label="before"))
        after = _lease("one", label="after", max_staleness=1.5)

        await bench.store.renew(after)

        assert await bench.store.leases() == (after,)

    @scenario
    async def test_a_released_lease_is_gone(self, bench: Bench) -> None:
        await bench.store.renew(_lease("one"))
        await bench.store.renew(_lease("two"))

        await bench.open().release("one")
        await bench.open().release("never there")

        assert await bench.store.leases() == (_lease("two"),)

    @scenario
    async def test_a_renewal_says_where_the_log_stands(self, bench: Bench) -> None:
        identity = await bench.store.identity()
        assert identity is not None
        reader = bench.open()

        empty = await reader.renew(_lease("one"))
        entry = await bench.revoke(Kind.TOKEN, "jti")
        await bench.store.swap_ring(0, StoredRing(3, "ring", "jwks"))
        full = await reader.renew(_lease("one"))

        assert empty is not None
        assert full is not None
        assert empty.head == (entry.position.epoch, 0, empty.head.tag)
        assert await reader.changes(empty.head) == (entry,)
        assert full.head == entry.watermark
        assert (empty.keys_version, full.keys_version) == (0, 3)
        assert (full.lineage, full.horizon) == (identity.lineage, identity.horizon)

    @scenario
    async def test_the_time_of_the_store_never_goes_back(self, bench: Bench) -> None:
        async def read() -> float:
            renewal = await bench.open().renew(_lease("one"))
            assert renewal is not None
            return renewal.store_time

        times = [await read()]
        await bench.store.prune(NOW + 50)
        times.append(await read())
        await bench.store.prune(NOW - 50)
        times.append(await read())

        assert times == sorted(times)
        assert times[1] >= NOW + 50

    # --- the doorbell -----------------------------------------------------------------

    @scenario
    async def test_the_bell_rings_for_entries_of_other_handles(self, bench: Bench) -> None:
        reader, writer = bench.open(), bench.open()
        mark = (await reader.snapshot()).watermark

        for n in range(5):
            writing = asyncio.create_task(writer.append([sample_draft(Kind.TOKEN, str(n))]))
            async with asyncio.timeout(_SOON):
                while not (news := await reader.changes(mark)):
                    await reader.wait(_LONG)
            assert not isinstance(news, Diverged)
            assert news == (await writing).entries
            mark = news[-1].watermark

    @scenario
    async def test_the_bell_rings_for_keys(self, bench: Bench) -> None:
        reader, writer = bench.open(), bench.open()
        await reader.published_keys()

        writing = asyncio.create_task(writer.swap_ring(0, StoredRing(1, "ring", "jwks")))
        async with asyncio.timeout(_SOON):
            while (await reader.published_keys()).version != 1:
                await reader.wait(_LONG)
        assert await writing

    @scenario
    async def test_a_replay_rings_the_bell(self, bench: Bench) -> None:
        session = await bench.begin()
        await bench.rotated(session, times=2)
        reader = bench.open()
        mark = (await reader.snapshot()).watermark

        replaying = asyncio.create_task(bench.present(session, 0))
        async with asyncio.timeout(_SOON):
            while not await reader.changes(mark):
                await reader.wait(_LONG)
        await replaying

    @scenario
    async def test_waiting_ends_without_a_ring(self, bench: Bench) -> None:
        reader = bench.open()
        loop = asyncio.get_running_loop()
        began = loop.time()

        async with asyncio.timeout(_SOON):
            for _ in range(10):
                await reader.wait(0.02)

        # It may ring for nothing, but a bell that rings all the time is none.
        assert loop.time() - began >= 0.1
