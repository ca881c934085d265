"""A server that is killed in the middle of writing has kept what was acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from annul.core.revocation import Kind
from annul.core.session import Retried, Rotated
from annul.errors import StoreUnavailable
from annul.stores.base import Began
from annul.testing import NOW, sample_draft, sample_session
from tests.stores.postgres_bench import another, play

if TYPE_CHECKING:
    import pytest

    from annul.core.revocation import Revocation
    from annul.core.session import Session
    from annul.stores.base import Draft, Snapshot
    from annul.stores.postgres import PostgresStore
    from tests.postgres_server import PostgresServer

KILLS = 5
WRITERS = 4
ENOUGH = 60
"""How many acknowledgements there are, of all writers together, before the next kill."""


def test_no_acknowledged_entry_is_lost_when_the_server_is_killed(
    own_postgres: PostgresServer,
) -> None:
    url = own_postgres.store_url()
    acknowledged: dict[bytes, Revocation] = {}
    unanswered: list[Draft] = []

    async def write(until: int, enough: asyncio.Event) -> None:
        async with another(url) as store:
            while True:
                draft = sample_draft(Kind.TOKEN, str(len(acknowledged)))
                try:
                    (entry,) = (await store.append([draft])).entries
                except StoreUnavailable:
                    unanswered.append(draft)
                    return
                acknowledged[entry.tag] = entry
                if len(acknowledged) >= until:
                    enough.set()

    async def story(store: PostgresStore) -> None:
        for _ in range(KILLS):
            enough = asyncio.Event()
            until = len(acknowledged) + ENOUGH
            writing = [asyncio.ensure_future(write(until, enough)) for _ in range(WRITERS)]
            await enough.wait()
            own_postgres.kill()
            await asyncio.gather(*writing)
            own_postgres.start()
            kept = {entry.tag: entry for entry in (await settled(store)).entries}
            assert acknowledged.items() <= kept.items()
            positions = [entry.position.seq for entry in kept.values()]
            assert positions == list(range(1, len(positions) + 1))

        # Repeating what was not answered completes it, and never makes it twice.
        repeated = (await store.append(unanswered)).entries
        assert [entry.tag for entry in repeated] == [draft.tag for draft in unanswered]
        tags = [entry.tag for entry in (await store.snapshot()).entries]
        assert len(tags) == len(set(tags)) == len(acknowledged) + len(unanswered)

    play(url, story)


async def settled(store: PostgresStore) -> Snapshot:
    """Return a snapshot; the first question may find out that the connection is gone."""
    with contextlib.suppress(StoreUnavailable):
        return await store.snapshot()
    return await store.snapshot()


def test_a_rotation_whose_answer_was_lost_is_a_retry_without_a_time_limit(
    own_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(store: PostgresStore) -> None:
        began = await store.begin(sample_session(idle_ttl=1e6, ends_at=NOW + 1e6))
        assert isinstance(began, Began)
        family = began.session.family

        async def present(at: float) -> object:
            return await store.rotate(
                family,
                0,
                client_id=None,
                jkt=None,
                handle_key="key",
                now=at,
                grace=10.0,
                replay_tag=b"replay".ljust(16),
                replay_expires_at=int(NOW) + 9999,
            )

        monkeypatch.setattr(store, "_confirm", lost)  # the answer never arrives
        assert isinstance(await present(NOW), Rotated)
        monkeypatch.undo()
        own_postgres.kill()
        own_postgres.start()

        assert isinstance(await present(NOW + 5000), Retried)

    async def lost(session: Session) -> Session:
        return session

    play(own_postgres.store_url(), story)
