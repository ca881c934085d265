"""Pages: the whole log piece by piece, while others append and prune."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from annul.core.revocation import Kind, Position
from annul.core.session import BEGINNING
from annul.testing.samples import NOW, sample_draft
from annul.testing.store_contract.bench import scenario

if TYPE_CHECKING:
    from annul.core.revocation import Revocation, Watermark
    from annul.stores.base import Store
    from annul.testing.store_contract.bench import Bench

_SOON = int(NOW) + 100
_MANY = 60


async def _walk(store: Store, limit: int) -> tuple[list[Revocation], Watermark]:
    """Return what all pages hold, and the head that came with the first of them."""
    page = await store.page(BEGINNING, limit)
    entries, head = list(page.entries), page.watermark
    while page.entries:
        page = await store.page(entries[-1].position, limit)
        entries += page.entries
    return entries, head


class Pages:
    """What ``page`` promises to somebody who reads everything."""

    @pytest.mark.parametrize("limit", [1, 3, 100])
    @scenario
    async def test_all_pages_are_the_snapshot(self, bench: Bench, limit: int) -> None:
        for number in range(7):
            await bench.revoke(Kind.TOKEN, f"jti-{number}")

        entries, head = await _walk(bench.open(), limit)

        snapshot = await bench.store.snapshot()
        assert (tuple(entries), head) == (snapshot.entries, snapshot.watermark)

    @scenario
    async def test_an_empty_log_has_one_empty_page_with_its_watermark(self, bench: Bench) -> None:
        page = await bench.store.page(BEGINNING, 10)

        assert page == await bench.store.snapshot()
        assert page.entries == ()

    @scenario
    async def test_a_page_begins_after_a_place_that_holds_nothing(self, bench: Bench) -> None:
        gone = await bench.revoke(Kind.TOKEN, "gone", expires_at=_SOON)
        left = await bench.revoke(Kind.TOKEN, "left")
        await bench.store.prune(_SOON + 1)

        assert (await bench.store.page(gone.position, 10)).entries == (left,)
        assert (await bench.store.page(left.position, 10)).entries == ()
        beyond = Position(left.position.epoch + 1, 0)
        assert (await bench.store.page(beyond, 10)).entries == ()

    @scenario
    async def test_pages_go_on_from_one_epoch_into_the_next(self, bench: Bench) -> None:
        old = [await bench.revoke(Kind.TOKEN, f"old-{number}") for number in range(3)]
        seen = Position(old[-1].position.epoch, old[-1].position.seq + 10)
        (new,) = (await bench.store.append([sample_draft(Kind.TOKEN, "new")], floor=seen)).entries

        entries, head = await _walk(bench.store, 2)

        assert new.position.epoch > seen.epoch
        assert entries == [*old, new]
        assert head == new.watermark

    @scenario
    async def test_what_stands_before_the_first_head_is_in_the_pages(self, bench: Bench) -> None:
        async def write(prefix: str) -> None:
            handle = bench.open()
            for number in range(_MANY // 3):
                await handle.append([sample_draft(Kind.TOKEN, f"{prefix}-{number}")])

        writers = [asyncio.create_task(write(prefix)) for prefix in "abc"]
        reader, walks = bench.open(), []
        while not all(writer.done() for writer in writers):
            walks.append(await _walk(reader, 5))
            await asyncio.sleep(0)  # a store in memory never lets anybody else run
        await asyncio.gather(*writers)
        walks.append(await _walk(reader, 5))

        log = await bench.log()
        assert len(log) == _MANY
        for entries, head in walks:
            before = [entry for entry in log if entry.position <= head.position]
            assert entries[: len(before)] == before
            assert entries == list(log[: len(entries)])
