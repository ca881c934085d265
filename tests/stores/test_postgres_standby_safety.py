"""A primary whose standbys may lack what it acknowledged is refused, at the start and later."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from annul.core.revocation import Kind
from annul.errors import UnsafeStore
from annul.stores import postgres_sessions
from annul.stores.base import Lease
from annul.stores.postgres_wire import Statement
from annul.testing import NOW, sample_draft, sample_identity
from tests.stores.postgres_bench import another, ended, play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annul.stores.postgres import PostgresStore
    from tests.postgres_cluster import PostgresCluster

LEASE = Lease(id="a", watermark=None, max_staleness=2.0)


@pytest.fixture
def pair(postgres_pair: PostgresCluster) -> Iterator[PostgresCluster]:
    """A primary ``a`` and its standby ``b``, which is waited for again when the test is over."""
    yield postgres_pair
    postgres_pair.wait_for("b", streaming="b")


async def append(store: PostgresStore, name: str) -> None:
    await store.append([sample_draft(Kind.TOKEN, name)])


def refusal_of(url: str) -> BaseException | None:
    caught: list[BaseException | None] = []

    async def story(store: PostgresStore) -> None:
        caught.append(await ended(store.found(sample_identity(), NOW)))

    play(url, story, found=False)
    return caught[0]


@pytest.mark.parametrize("setting", ["", "c", "ANY 1 (b, c)", "b, c", "*"])
def test_a_standby_that_is_not_always_waited_for_is_refused(
    pair: PostgresCluster, setting: str
) -> None:
    url = pair.url_at("a", pair.store_url())
    pair.wait_for(setting)

    assert type(refusal_of(url)) is UnsafeStore


@pytest.mark.parametrize("setting", ["ANY 1 (b, c)", "b, c", "*"])
def test_the_deployer_may_promise_to_promote_only_a_confirmed_one(
    pair: PostgresCluster, setting: str
) -> None:
    pair.wait_for(setting)

    assert refusal_of(pair.store_url(promotion="confirmed")) is None


def test_nobody_may_promise_that_for_a_primary_that_waits_for_none(pair: PostgresCluster) -> None:
    pair.wait_for("")

    assert type(refusal_of(pair.store_url(promotion="confirmed"))) is UnsafeStore


def test_acknowledgements_end_within_a_second_when_the_standby_is_waited_for_no_more(
    pair: PostgresCluster,
) -> None:
    async def story(store: PostgresStore) -> None:
        loop = asyncio.get_running_loop()
        await append(store, "before")
        pair.wait_for("")
        since, begun = loop.time(), loop.time()
        while await ended(append(store, "late")) is None:
            begun = loop.time()
        # What began within the time between two looks may still have been acknowledged.
        assert begun - since <= postgres_sessions._CHECK_EVERY <= 0.5
        assert type(await ended(append(store, "refused"))) is UnsafeStore

        pair.wait_for("b")
        await append(store, "after")

    play(pair.url_at("a", pair.store_url()), story)


def test_a_primary_alone_acknowledges_nothing_if_the_url_names_standbys(
    pair: PostgresCluster,
) -> None:
    # Nothing follows it, so that only the URL can tell that anything should.
    url = pair.store_url()

    async def story(store: PostgresStore) -> None:
        async with another(pair.url_at("a", url)) as alone:
            pair.nodes["b"].kill()
            pair.wait_for("")
            assert type(await ended(append(store, "refused"))) is UnsafeStore
            assert type(await ended(store.renew(LEASE))) is UnsafeStore
            assert await ended(alone.renew(LEASE)) is None

    try:
        play(url, story)
    finally:
        pair.nodes["b"].start()


@pytest.mark.parametrize("weak", ["off", "local", "remote_write"])
def test_no_commit_is_weaker_than_it_must_be(pair: PostgresCluster, weak: str) -> None:
    # Preferences of the role are overridden. What a pooler mixes up is not believed.
    url = pair.store_url()
    role = f"prefers_{weak}"
    pair.primary.run(f"CREATE ROLE {role} SUPERUSER LOGIN")
    pair.primary.run(f"ALTER ROLE {role} SET synchronous_commit = {weak}")

    async def story(store: PostgresStore) -> None:
        asked = Statement("SELECT current_setting('synchronous_commit')")
        (answer,) = await store._link.use(lambda wire: wire.exchange(asked))
        assert answer.rows == [("on",)]

        changed = Statement("SELECT set_config('synchronous_commit', $1, false)", (weak,))
        for work in (append(store, "jti"), store.renew(LEASE)):
            await store._link.use(lambda wire: wire.exchange(changed))
            assert type(await ended(work)) is UnsafeStore
        assert (await store.snapshot()).entries == ()

    play(url.replace("postgres@", f"{role}@"), story)
