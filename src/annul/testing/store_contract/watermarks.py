"""Watermarks: exactly one entry each, or ``Diverged``. And snapshots, which have one too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from annul.core.revocation import Kind, Watermark
from annul.stores.base import Diverged
from annul.testing.samples import sample_draft
from annul.testing.store_contract.bench import scenario

if TYPE_CHECKING:
    from annul.core.revocation import Revocation
    from annul.stores.base import Store
    from annul.testing.store_contract.bench import Bench


async def _fill(store: Store, count: int) -> tuple[Revocation, ...]:
    drafts = [sample_draft(Kind.TOKEN, f"jti-{n}") for n in range(count)]
    return (await store.append(drafts)).entries


class Watermarks:
    """What ``changes`` and ``snapshot`` promise."""

    @scenario
    async def test_an_empty_log_has_a_watermark(self, bench: Bench) -> None:
        empty = await bench.store.snapshot()

        assert empty.entries == ()
        assert empty.watermark.seq == 0
        assert empty.watermark.tag
        assert await bench.store.changes(empty.watermark) == ()

        entries = await _fill(bench.store, 3)
        assert await bench.open().changes(empty.watermark) == entries

    @scenario
    async def test_changes_are_what_comes_after_the_entry(self, bench: Bench) -> None:
        entries = await _fill(bench.store, 4)

        for n, entry in enumerate(entries, 1):
            assert await bench.store.changes(entry.watermark) == entries[n:]

    @scenario
    async def test_changes_stop_at_the_limit(self, bench: Bench) -> None:
        genesis = (await bench.store.snapshot()).watermark
        entries = await _fill(bench.store, 5)

        assert await bench.store.changes(genesis, 2) == entries[:2]
        assert await bench.store.changes(entries[1].watermark, 2) == entries[2:4]
        assert await bench.store.changes(entries[3].watermark, 2) == entries[4:]

    @scenario
    async def test_another_entry_in_that_place_has_diverged(self, bench: Bench) -> None:
        genesis = (await bench.store.snapshot()).watermark
        entries = await _fill(bench.store, 3)

        for held in (genesis, *(entry.watermark for entry in entries)):
            for claimed in (
                held._replace(tag=b"somebody else's!"),
                held._replace(epoch=held.epoch - 1),
                held._replace(epoch=held.epoch + 1),
                held._replace(seq=held.seq + 1),
                held._replace(seq=held.seq + 1000),
                held._replace(epoch=held.epoch + 1, seq=0),
            ):
                assert await bench.store.changes(claimed) == Diverged(pruned=False), claimed

    @scenario
    async def test_a_watermark_of_nothing_has_diverged(self, bench: Bench) -> None:
        await _fill(bench.store, 1)

        assert await bench.store.changes(Watermark(0, 0, b"")) == Diverged(pruned=False)

    @scenario
    async def test_a_snapshot_is_the_log_up_to_its_watermark(self, bench: Bench) -> None:
        entries = await _fill(bench.store, 3)

        snapshot = await bench.open().snapshot()

        assert snapshot.entries == entries
        assert snapshot.watermark == entries[-1].watermark
        assert await bench.store.changes(snapshot.watermark) == ()

    @scenario
    async def test_a_snapshot_shows_one_moment_of_a_growing_log(self, bench: Bench) -> None:
        written = 4 * 20
        writers = [bench.open() for _ in range(4)]
        reader = bench.open()

        async def write(store: Store) -> None:
            for _ in range(20):
                await _fill(store, 1)

        writing = asyncio.gather(*(write(writer) for writer in writers))
        seq = 0
        while seq < written:
            snapshot = await reader.snapshot()
            assert [entry.position.seq for entry in snapshot.entries] == list(
                range(1, snapshot.watermark.seq + 1)
            )
            assert snapshot.watermark.seq >= seq
            seq = snapshot.watermark.seq
            await asyncio.sleep(0)
        await writing
