"""The end of a handle, and what is there when the store is opened again."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import pytest

from annul.core.revocation import Kind
from annul.core.session import Ended, Retried, Rotated
from annul.errors import StoreUnavailable
from annul.stores.base import Covered, Lease, StoredRing
from annul.testing.samples import NOW, sample_draft, sample_identity, sample_session
from annul.testing.store_contract.bench import scenario

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from annul.core.revocation import Watermark
    from annul.stores.base import Store
    from annul.testing.store_contract.bench import Bench

_LEASE = Lease(id="replica", watermark=None, max_staleness=2.0)

VERBS: dict[str, Callable[[Store, Watermark], Awaitable[object]]] = {
    "identity": lambda store, _mark: store.identity(),
    "renew": lambda store, _mark: store.renew(_LEASE),
    "release": lambda store, _mark: store.release("replica"),
    "changes": lambda store, mark: store.changes(mark),
    "snapshot": lambda store, _mark: store.snapshot(),
    "page": lambda store, mark: store.page(mark.position),
    "published_keys": lambda store, _mark: store.published_keys(),
    "wait": lambda store, _mark: store.wait(0.01),
    "found": lambda store, _mark: store.found(sample_identity(), NOW),
    "append": lambda store, _mark: store.append([sample_draft(Kind.TOKEN, "jti")]),
    "begin": lambda store, _mark: store.begin(sample_session()),
    "sessions": lambda store, _mark: store.sessions("alice", NOW),
    "session": lambda store, _mark: store.session("sid"),
    "family": lambda store, _mark: store.family(b"f" * 32),
    "count": lambda store, _mark: store.count(Kind.SUBJECT, "alice", NOW),
    "ring": lambda store, _mark: store.ring(),
    "swap_ring": lambda store, _mark: store.swap_ring(0, StoredRing(1, "ring", "jwks")),
    "leases": lambda store, _mark: store.leases(),
    "prune": lambda store, _mark: store.prune(NOW),
}


class Closing:
    """What ``close`` promises, and what durable stores promise beyond it."""

    durable: ClassVar[bool] = True
    """Whether the store is still there after its last handle has been closed."""

    @pytest.mark.parametrize("verb", sorted(VERBS))
    @scenario
    async def test_a_closed_handle_does_nothing(self, bench: Bench, verb: str) -> None:
        mark = (await bench.store.snapshot()).watermark
        handle = bench.open()
        await handle.identity()
        await handle.close()

        with pytest.raises(StoreUnavailable):
            await VERBS[verb](handle, mark)

        assert await bench.log() == ()

    @scenario
    async def test_a_closed_handle_rotates_nothing(self, bench: Bench) -> None:
        session = await bench.begin()
        handle = bench.open()
        await handle.close()

        with pytest.raises(StoreUnavailable):
            await bench.present(session, 0, store=handle)

        assert await bench.unchanged(session)

    @scenario
    async def test_closing_twice_is_harmless(self, bench: Bench) -> None:
        used, unused = bench.open(), bench.open()
        await used.identity()

        for handle in (used, used, unused, unused):
            await handle.close()

        assert await bench.store.identity() is not None

    @scenario
    async def test_everything_is_there_after_opening_again(self, bench: Bench) -> None:
        if not self.durable:
            pytest.skip("this store says that nothing survives its last handle")
        identity = await bench.store.identity()
        genesis = (await bench.store.snapshot()).watermark
        cut = sample_draft(Kind.CLIENT, "cli")
        ended = await bench.begin(client_id="cli")
        await bench.store.append([cut, sample_draft(Kind.BLOCK, "mallory")])
        session = await bench.begin(claims={"roles": ["staff"]}, jkt="thumb", device="Firefox")
        session = await bench.rotated(session)
        await bench.store.swap_ring(0, StoredRing(1, "ring", "jwks"))
        await bench.store.renew(_LEASE)
        await bench.store.prune(NOW + 5)
        log = await bench.store.snapshot()

        await bench.restart()

        assert await bench.store.identity() == identity
        assert await bench.store.found(sample_identity(), NOW) == identity
        assert await bench.store.snapshot() == log
        assert await bench.store.changes(genesis) == log.entries
        assert (await bench.store.append([cut])).entries == log.entries[:1]
        assert await bench.store.ring() == StoredRing(1, "ring", "jwks")
        assert await bench.store.leases() == (_LEASE,)
        assert await bench.store.session(session.sid) == session
        assert await bench.store.sessions("alice", NOW) == (session,)
        assert await bench.present(session, 0, jkt="thumb") == Retried(session)
        assert isinstance(await bench.present(session, 1, jkt="thumb"), Rotated)
        assert await bench.present(ended, 0) == Ended(ended, log.entries[0])
        blocked = await bench.store.begin(sample_session(subject="mallory"))
        assert blocked == Covered(log.entries[1])
        renewal = await bench.store.renew(_LEASE)
        assert renewal is not None
        assert renewal.head == log.watermark
        assert renewal.store_time >= NOW + 5
