"""A verifier's user with the printed rules does what a replica does, and can do nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import redis

from annul.core.revocation import Kind
from annul.core.session import BEGINNING
from annul.errors import Misconfigured
from annul.stores import grants_of
from annul.stores.base import Lease, StoredRing
from annul.stores.redis import from_url
from annul.stores.redis_grants import replica_rules
from annul.stores.redis_url import address_from_url
from annul.testing import ISSUER, NOW, sample_draft, sample_identity, sample_session
from tests.redis_nodes import shared_cluster, shared_sentinels, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

    from annul.stores.redis import RedisStore
    from tests.servers import RedisServer

    Story = Callable[[RedisStore, RedisStore], Coroutine[Any, Any, None]]

__all__ = ["shared_cluster", "shared_sentinels"]

FORBIDDEN = (
    ("GET", "{annul}:ring"),
    ("HGETALL", "{annul}:ring"),
    ("HGETALL", "{annul}:sessions"),
    ("HVALS", "{annul}:families"),
    ("XADD", "{annul}:log", "*", "e", "[]"),
    ("XTRIM", "{annul}:log", "MAXLEN", "0"),
    ("HSET", "{annul}:meta", "jwks", "{}"),
    ("DEL", "{annul}:log"),
    ("DEL", "{annul}:leases"),
    ("EVAL", "return redis.call('HSET', '{annul}:meta', 'jwks', '')", "0"),
    ("EVAL", "return redis.call('HGET', KEYS[1], 'ring')", "1", "{annul}:ring"),
    ("SET", "elsewhere", "1"),
    ("PUBLISH", "a", "b"),
    ("FLUSHALL",),
    ("CONFIG", "GET", "dir"),
    ("ACL", "LIST"),
    ("KEYS", "*"),
)


class Place:
    """Servers that keep a store, and a verifier's user on each of them."""

    def __init__(self, url: str, nodes: list[RedisServer]) -> None:
        self.url = url
        self.as_verifier = url.replace("://", "://verifier:secret@")
        self.nodes = nodes
        line = grants_of(url, "verifier")
        assert line is not None
        word, user, *rules = line.split()
        assert word == "user"
        for node in nodes:
            tell(node, "ACL", "SETUSER", user, "reset", *rules, ">secret")

    def leave(self) -> None:
        for node in self.nodes:
            tell(node, "ACL", "DELUSER", "verifier")

    def play(self, story: Story) -> None:
        """Tell a story of an authority, and a replica with a user of its own."""

        async def go() -> None:
            authority = from_url(self.url, issuer=ISSUER)
            replica = from_url(self.as_verifier, issuer=ISSUER)
            try:
                async with asyncio.timeout(60):
                    await authority.found(sample_identity(), NOW)
                    await authority.swap_ring(0, StoredRing(1, "sealed", '{"keys":[]}'))
                    await authority.begin(sample_session())
                    await authority.append([sample_draft(Kind.TOKEN, "first")])
                    await story(authority, replica)
            finally:
                await replica.close()
                await authority.close()

        asyncio.run(go())


@pytest.fixture(
    params=[
        "alone",
        pytest.param("sentinel", marks=pytest.mark.xdist_group("sentinel")),
        pytest.param("cluster", marks=pytest.mark.xdist_group("cluster")),
    ]
)
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "alone":
        server = request.getfixturevalue("redis_server")
        made = Place(server.url, [server])
    else:
        several = request.getfixturevalue(
            "shared_sentinels" if request.param == "sentinel" else "shared_cluster"
        )
        several.clear()
        made = Place(several.url, several.nodes)
    yield made
    made.leave()


def test_a_replica_can_do_all_that_a_replica_does(place: Place) -> None:
    async def story(authority: RedisStore, replica: RedisStore) -> None:
        assert await replica.identity() == await authority.identity()
        lease = Lease(id="a", watermark=None, max_staleness=2.0, beat=1)
        assert await replica.renew(lease) is not None
        assert await replica.renew(lease) is not None
        snapshot = await replica.snapshot()
        assert snapshot == await authority.snapshot()
        assert await replica.page(BEGINNING) == snapshot
        assert await replica.changes(snapshot.watermark) == ()
        assert (await replica.published_keys()).version == 1
        await replica.wait(0.01)
        await replica.offer(snapshot.entries)
        assert await authority.offers() == snapshot.entries
        assert await authority.leases() == (lease,)
        await replica.release("a")
        assert await authority.leases() == ()

    place.play(story)


def test_a_replica_can_do_nothing_else(place: Place) -> None:
    async def story(authority: RedisStore, replica: RedisStore) -> None:
        before = await authority.snapshot()
        verbs = (
            lambda: replica.append([sample_draft(Kind.SUBJECT, "alice")]),
            lambda: replica.begin(sample_session()),
            lambda: replica.session("sid"),
            lambda: replica.sessions("alice", NOW),
            replica.ring,
            lambda: replica.swap_ring(1, StoredRing(2, "ring", "jwks")),
            lambda: replica.prune(NOW * 2),
        )
        for verb in verbs:
            with pytest.raises(Misconfigured):
                await verb()
        assert await authority.snapshot() == before

    place.play(story)


@pytest.mark.parametrize("words", FORBIDDEN, ids=" ".join)
def test_the_server_itself_refuses_everything_else(
    redis_server: RedisServer, words: tuple[str, ...]
) -> None:
    place = Place(redis_server.url, [redis_server])
    with redis.Redis(
        host=redis_server.host, port=redis_server.port, username="verifier", password="secret"
    ) as client:
        assert client.exists("{annul}:log") == 0  # it is let in, and may look
        with pytest.raises(redis.ResponseError, match=r"(?i)permission|NOPERM"):
            client.execute_command(*words)
    place.leave()


def test_another_prefix_is_another_store() -> None:
    shop = replica_rules(address_from_url("redis://host/0?prefix=shop"))
    assert "{shop}:log" in shop
    assert "annul" not in shop


def test_the_documentation_shows_these_rules() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "choose-a-store.md"
    rules = replica_rules(address_from_url("redis://localhost/0"))
    assert f"user verifier on >change-this-2 {rules}\n" in page.read_text(encoding="utf-8")
