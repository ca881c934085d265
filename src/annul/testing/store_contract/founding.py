"""Founding: once, by one issuer, with limits that only grow."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from annul.core.revocation import Kind
from annul.errors import WrongStore
from annul.stores.base import Lease, PublishedKeys
from annul.testing.samples import NOW, sample_identity
from annul.testing.store_contract.bench import scenario

if TYPE_CHECKING:
    from annul.testing.store_contract.bench import Bench, OpenHandle


class Founding:
    """What ``found`` and ``identity`` promise."""

    def test_a_store_that_nobody_founded_says_so(self, open_handle: OpenHandle) -> None:
        async def look() -> None:
            store = open_handle()
            try:
                assert await store.identity() is None
                assert await store.renew(Lease(id="r", watermark=None, max_staleness=2.0)) is None
                assert await store.ring() is None
                assert (await store.published_keys()).version == 0
                assert await store.identity() is None
            finally:
                await store.close()

        asyncio.run(look())

    def test_founding_records_the_identity(self, open_handle: OpenHandle) -> None:
        async def found() -> None:
            store, other = open_handle(), open_handle()
            identity = sample_identity()
            try:
                assert await store.found(identity, NOW) == identity
                assert await store.identity() == identity
                assert await other.identity() == identity
                assert await other.published_keys() == PublishedKeys(0, '{"keys":[]}')
            finally:
                await store.close()
                await other.close()

        asyncio.run(found())

    @scenario
    async def test_the_epoch_is_at_least_the_time_of_founding(self, bench: Bench) -> None:
        assert (await bench.store.snapshot()).watermark.epoch >= int(NOW)

    @scenario
    async def test_founding_again_changes_nothing(self, bench: Bench) -> None:
        known = await bench.store.identity()
        await bench.revoke(Kind.SUBJECT, "alice")
        before = await bench.store.snapshot()

        again = await bench.open().found(sample_identity(), NOW + 1000)

        assert again == known
        assert await bench.store.snapshot() == before

    @pytest.mark.parametrize("limit", ["horizon", "longest_token", "longest_session"])
    @scenario
    async def test_each_limit_grows_and_never_shrinks(self, bench: Bench, limit: str) -> None:
        known = await bench.store.identity()
        assert known is not None
        more = replace(known, **{limit: getattr(known, limit) + 1})
        less = replace(known, **{limit: getattr(known, limit) - 1})

        assert await bench.store.found(more, NOW) == more
        assert await bench.store.found(less, NOW) == more
        assert await bench.open().identity() == more

    @scenario
    async def test_another_issuer_is_refused(self, bench: Bench) -> None:
        known = await bench.store.identity()
        other = sample_identity(issuer="https://other.example", longest_token=9999)

        with pytest.raises(WrongStore):
            await bench.store.found(other, NOW)

        assert await bench.store.identity() == known

    def test_of_many_founders_one_decides(self, open_handle: OpenHandle) -> None:
        async def found() -> None:
            handles = [open_handle() for _ in range(6)]
            try:
                recorded = await asyncio.gather(
                    *(handle.found(sample_identity(), NOW) for handle in handles)
                )
                assert len({identity.lineage for identity in recorded}) == 1
                assert await handles[0].identity() == recorded[0]
            finally:
                for handle in handles:
                    await handle.close()

        asyncio.run(found())
