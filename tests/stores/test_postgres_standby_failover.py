"""A standby that is promoted has all that was acknowledged, and the old primary nothing to say."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from annul import Authority, Policy, Replica, Revoked, SubjectId
from annul.core.revocation import Kind
from annul.core.session import Rotated
from annul.errors import StoreUnavailable, UnsafeStore
from annul.stores.base import Began, Lease
from annul.testing import ISSUER, NOW, sample_draft, sample_identity, sample_session
from tests.stores.postgres_bench import LIMIT, another, ended, play
from tests.stores.postgres_failovers import run
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    from annul.stores.postgres import PostgresStore
    from tests.postgres_cluster import PostgresCluster

    T = TypeVar("T")

AUDIENCE = "https://api.example"
POLICY = Policy(issuer=ISSUER, audience=AUDIENCE)
LEASE = Lease(id="a", watermark=None, max_staleness=2.0)


async def in_the_end(verb: Callable[[], Awaitable[T]]) -> T:
    """Repeat something until the store does it, and return its answer."""
    async with asyncio.timeout(LIMIT):
        while True:
            try:
                return await verb()
            except (StoreUnavailable, UnsafeStore):
                await asyncio.sleep(0)


def fail_over(pair: PostgresCluster) -> None:
    """Kill the primary, promote the standby, and make the old primary its standby."""
    pair.primary.kill()
    pair.promote("b", standby_names="a")
    pair.follow("a")
    pair.wait_for("a", streaming="a")


# --- what a promotion leaves ----------------------------------------------------------------


def test_clients_follow_to_the_promoted_standby_which_opens_a_new_epoch(
    own_pair: PostgresCluster,
) -> None:
    async def story(store: PostgresStore) -> None:
        drafts = [sample_draft(Kind.TOKEN, str(number)) for number in range(20)]
        before = [(await store.append([draft])).entries[0] for draft in drafts]
        fail_over(own_pair)

        (after,) = (await in_the_end(lambda: store.append([sample_draft(Kind.TOKEN)]))).entries

        assert (await store.snapshot()).entries == (*before, after)
        assert after.position.epoch > before[-1].position.epoch
        assert after.position.seq == 1
        (later,) = (await store.append([sample_draft(Kind.TOKEN)])).entries
        assert later.position == (after.position.epoch, 2)

    play(own_pair.store_url(), story)


def test_a_login_and_a_rotation_open_the_new_epoch_too(own_pair: PostgresCluster) -> None:
    urls = [own_pair.store_url(), own_pair.store_url()]

    async def rotate(store: PostgresStore, family: bytes) -> object:
        return await store.rotate(
            family,
            0,
            client_id=None,
            jkt=None,
            handle_key="key",
            now=NOW,
            grace=10.0,
            replay_tag=b"replay".ljust(16),
            replay_expires_at=int(NOW) + 9999,
        )

    async def story(store: PostgresStore) -> None:
        async with another(urls[1]) as other:
            await other.found(sample_identity(), NOW)
            began = await other.begin(sample_session())
            assert isinstance(began, Began)
            fail_over(own_pair)
            reborn = await in_the_end(lambda: store.begin(sample_session()))
            assert isinstance(reborn, Began)
            assert reborn.session.since.epoch > began.session.since.epoch
            rotated = await in_the_end(lambda: rotate(other, began.session.family))
            assert isinstance(rotated, Rotated)
            head = (await other.snapshot()).watermark
            assert head.epoch > began.session.since.epoch

    play(urls[0], story)


def test_a_verifier_follows_and_honours_what_was_revoked_before_and_after(
    own_pair: PostgresCluster,
) -> None:
    url = own_pair.store_url()
    with (
        Authority.open(url, issuer=ISSUER, audience=AUDIENCE, kek=os.urandom(32)) as authority,
        Replica.open(url, policy=POLICY, ready_timeout=30.0) as replica,
    ):
        tokens = {
            name: authority.login(name, client_id="web").access_token
            for name in ("alice", "bob", "carol")
        }
        authority.revoke(SubjectId("alice"))
        fail_over(own_pair)
        eventually(lambda: ended_well(lambda: authority.revoke(SubjectId("bob"), wait=True)))
        eventually(lambda: replica.fresh)

        for name in ("alice", "bob"):
            with pytest.raises(Revoked):
                replica.verify(tokens[name])
        assert replica.verify(tokens["carol"]).subject == "carol"


def ended_well(verb: Callable[[], object]) -> bool:
    try:
        verb()
    except (StoreUnavailable, UnsafeStore):
        return False
    return True


# --- what is left of the old primary --------------------------------------------------------


def test_an_old_primary_that_comes_back_confirms_nothing_and_is_left_by_its_clients(
    own_pair: PostgresCluster,
) -> None:
    url = own_pair.store_url(promotion="confirmed")
    only = f"{own_pair.url_at('a', url)}&timeout=0.4"

    async def story(store: PostgresStore) -> None:
        async with another(only) as stuck, another(url) as moving:
            await store.append([sample_draft(Kind.TOKEN, "before")])
            own_pair.nodes["a"].kill()
            own_pair.promote("b", standby_names="a")
            own_pair.nodes["a"].start()  # it takes writes, and knows of no promotion

            late = sample_draft(Kind.TOKEN, "late")
            assert type(await ended(stuck.append([late]))) is StoreUnavailable
            assert type(await ended(stuck.begin(sample_session()))) is StoreUnavailable
            assert type(await ended(stuck.renew(LEASE))) is StoreUnavailable

            own_pair.follow("a")
            own_pair.wait_for("a", streaming="a")
            await in_the_end(lambda: moving.append([sample_draft(Kind.TOKEN, "after")]))
            entries = (await in_the_end(store.snapshot)).entries
            assert [entry.id for entry in entries] == ["before", "after"]

    play(url, story)


def test_an_old_primary_that_waits_for_nobody_confirms_nothing_to_whoever_knows_its_standbys(
    own_trio: PostgresCluster,
) -> None:
    # Both take writes and each is the first host of somebody: only one of them may confirm.
    url = own_trio.store_url()

    async def story(store: PostgresStore) -> None:
        await store.append([sample_draft(Kind.TOKEN, "before")])
        own_trio.nodes["c"].kill()
        own_trio.wait_for("")
        own_trio.promote("b", standby_names="c")
        own_trio.follow("c")
        own_trio.wait_for("c", streaming="c")

        await in_the_end(lambda: store.append([sample_draft(Kind.TOKEN, "after")]))
        await in_the_end(lambda: store.renew(LEASE))

        assert own_trio.nodes["a"].run("SELECT pg_is_in_recovery()") == [(False,)]
        for name, expected in (("a", ["before"]), ("b", ["before", "after"])):
            rows = own_trio.nodes[name].run(f"SELECT id FROM {schema_of(url)}.log ORDER BY 1 DESC")  # noqa: S608 - ours
            assert sorted(expected) == sorted(value for (value,) in rows)

    play(url, story)


def schema_of(url: str) -> str:
    return url.partition("schema=")[2].partition("&")[0]


def test_a_primary_that_hangs_keeps_nobody_from_the_promoted_standby(
    own_trio: PostgresCluster,
) -> None:
    async def story(store: PostgresStore) -> None:
        await store.append([sample_draft(Kind.TOKEN, "before")])
        own_trio.nodes["a"].freeze()
        own_trio.promote("b", standby_names="c")
        own_trio.follow("c")
        own_trio.wait_for("c", streaming="c")

        await in_the_end(lambda: store.append([sample_draft(Kind.TOKEN, "after")]))

        async with another(url) as late:
            entries = (await in_the_end(late.snapshot)).entries
            assert [entry.id for entry in entries] == ["before", "after"]

    url = own_trio.store_url(timeout="1")
    play(url, story)


# --- under load -----------------------------------------------------------------------------


def test_no_acknowledged_entry_is_lost_and_no_renewal_stale_when_standbys_take_over() -> None:
    figures = run(2)  # a primary that is killed, and one that hangs and comes back

    assert figures["failovers"] == 2
    assert figures["epochs"] == 3
    for fault in ("lost", "entries twice", "positions twice", "stale renewals"):
        assert figures[fault] == 0
