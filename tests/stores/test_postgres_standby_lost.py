"""A standby that is frozen or gone ends acknowledgements and freshness, and nothing is undone."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from annul import Authority, Policy, Replica, ReplicaStale, Revoked, SubjectId
from annul.core.revocation import Kind
from annul.errors import StoreUnavailable
from annul.stores.base import Began, Lease
from annul.testing import ISSUER, sample_draft, sample_session
from tests.stores.postgres_bench import another, backends, ended, play
from tests.waiting import eventually

if TYPE_CHECKING:
    from annul.stores.base import Draft
    from annul.stores.postgres import PostgresStore
    from tests.postgres_cluster import PostgresCluster

LEASE = Lease(id="a", watermark=None, max_staleness=2.0)
SOON = "0.4"
"""How long an operation may take, in seconds, where it is going to fail."""


async def outcomes(store: PostgresStore, draft: Draft) -> list[type | None]:
    """Return what becomes of an entry and of a lease."""
    errors = [await ended(store.append([draft])), await ended(store.renew(LEASE))]
    return [None if error is None else type(error) for error in errors]


def waiting_commits(pair: PostgresCluster) -> list[tuple[object, ...]]:
    return pair.primary.run("SELECT pid FROM pg_stat_activity WHERE wait_event = 'SyncRep'")


async def ids_of(store: PostgresStore) -> list[str | None]:
    return [entry.id for entry in (await store.snapshot()).entries]


def test_nothing_is_confirmed_while_the_standby_is_frozen_and_reading_goes_on(
    own_pair: PostgresCluster,
) -> None:
    url = own_pair.url_at("a", own_pair.store_url())

    async def story(store: PostgresStore) -> None:
        first, second = sample_draft(Kind.TOKEN, "first"), sample_draft(Kind.TOKEN, "second")
        await store.append([first])
        own_pair.nodes["b"].freeze()
        async with another(f"{url}&timeout={SOON}") as hasty:
            # Whoever waits is sent away after that time, and then the entry is there to be read.
            while await ids_of(store) == ["first"]:
                assert await outcomes(hasty, second) == [StoreUnavailable] * 2
            # To find it there is no confirmation: repeating it waits again.
            assert await outcomes(hasty, second) == [StoreUnavailable] * 2
            assert type(await ended(hasty.begin(sample_session()))) is StoreUnavailable
            # Nor does anybody who has gone take up a connection of the server.
            await asyncio.to_thread(eventually, lambda: not waiting_commits(own_pair))

        own_pair.nodes["b"].thaw()
        assert await outcomes(store, second) == [None, None]
        assert isinstance(await store.begin(sample_session()), Began)
        assert await ids_of(store) == ["first", "second"]

    play(f"{url}&timeout=30", story)


def test_a_commit_whose_wait_somebody_cancels_is_not_acknowledged(
    own_pair: PostgresCluster,
) -> None:
    async def story(store: PostgresStore) -> None:
        draft = sample_draft(Kind.TOKEN, "jti")
        own_pair.nodes["b"].freeze()
        for verb in (lambda: store.append([draft]), lambda: store.renew(LEASE)):
            for end in ("pg_cancel_backend", "pg_terminate_backend"):
                work = asyncio.ensure_future(ended(verb()))
                (waiting,) = await backends(own_pair.primary, "wait_event = 'SyncRep'")
                own_pair.primary.run(f"SELECT {end}(%s)", waiting)
                assert type(await work) is StoreUnavailable
        own_pair.nodes["b"].thaw()
        await store.append([draft])
        assert [entry.id for entry in (await store.snapshot()).entries] == ["jti"]

    play(own_pair.url_at("a", own_pair.store_url(timeout="30")), story)


@pytest.mark.parametrize(
    ("standby_names", "promotion", "after_one"),
    [("ANY 2 (b, c)", "any", StoreUnavailable), ("ANY 1 (b, c)", "confirmed", None)],
)
def test_one_of_two_standbys_may_be_gone_only_where_a_majority_is_enough(
    own_trio: PostgresCluster,
    standby_names: str,
    promotion: str,
    after_one: type[StoreUnavailable] | None,
) -> None:
    url = own_trio.url_at("a", own_trio.store_url(promotion=promotion))

    async def story(store: PostgresStore) -> None:
        async with another(f"{url}&timeout={SOON}") as hasty:
            assert await outcomes(store, sample_draft(Kind.TOKEN, "all")) == [None, None]
            own_trio.nodes["c"].kill()
            one_gone = hasty if after_one else store
            assert await outcomes(one_gone, sample_draft(Kind.TOKEN, "two")) == [after_one] * 2
            own_trio.nodes["b"].kill()
            alone = await outcomes(hasty, sample_draft(Kind.TOKEN, "alone"))
            assert alone == [StoreUnavailable] * 2

    own_trio.wait_for(standby_names, streaming="bc")
    play(f"{url}&timeout=30", story)


def test_a_verifier_refuses_while_the_standby_is_frozen_and_then_goes_on(
    own_pair: PostgresCluster,
) -> None:
    url = own_pair.store_url()
    policy = Policy(issuer=ISSUER, audience="https://api.example")
    with (
        Authority.open(
            url, issuer=ISSUER, audience="https://api.example", kek=os.urandom(32)
        ) as authority,
        Replica.open(url, policy=policy, ready_timeout=30.0) as replica,
    ):
        token = authority.login("alice", client_id="web").access_token
        assert replica.verify(token).subject == "alice"
        own_pair.nodes["b"].freeze()
        eventually(lambda: not replica.fresh)
        with pytest.raises(ReplicaStale):
            replica.verify(token)
        with pytest.raises(StoreUnavailable):
            authority.revoke(SubjectId("alice"))
        own_pair.nodes["b"].thaw()
        eventually(lambda: replica.fresh)
        authority.revoke(SubjectId("alice"), wait=True)
        with pytest.raises(Revoked):
            replica.verify(token)
        assert replica.alarms == 0
