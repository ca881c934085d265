"""One store on several servers: what is acknowledged, and which set-ups are refused."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from annul.core.revocation import Kind
from annul.errors import AnnulError, Misconfigured, StoreUnavailable, UnsafeStore
from annul.stores.base import Lease
from annul.stores.redis import from_url
from annul.testing import ISSUER, NOW, sample_draft, sample_identity, sample_session
from tests.redis_nodes import redis_cluster, redis_sentinels, tell
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterator

    from annul.stores.redis import RedisStore
    from tests.redis_nodes import Cluster, Sentinels
    from tests.servers import RedisServer

LEASE = Lease(id="one", watermark=None, max_staleness=2.0)
AT_ONCE, SLOWLY = 1000, 60_000


@pytest.fixture(scope="module")
def calm() -> Iterator[Sentinels]:
    """Three nodes whose Sentinels promote nobody during a test."""
    with redis_sentinels(patience=SLOWLY) as sentinels:
        yield sentinels


@pytest.fixture
def sentinels(calm: Sentinels) -> Iterator[Sentinels]:
    """The same three, empty, and set up as they were at first."""
    calm.clear()
    yield calm
    for node in calm.nodes:
        node.configure(appendfsync="always", maxmemory_policy="noeviction")


@pytest.fixture
def hasty() -> Iterator[Sentinels]:
    """Three nodes of this test's own, whose Sentinels promote one as soon as they may."""
    with redis_sentinels(patience=AT_ONCE) as sentinels:
        yield sentinels


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A cluster of this test's own that promotes a replica soon."""
    with redis_cluster(patience=1000) as cluster:
        yield cluster


@asynccontextmanager
async def opened(url: str, *, found: bool = False, **options: Any) -> AsyncIterator[RedisStore]:  # noqa: ANN401 - those of from_url
    store = from_url(url, issuer=ISSUER, **options)
    try:
        if found:
            await store.found(sample_identity(), NOW)
        yield store
    finally:
        await store.close()


def play(story: Coroutine[Any, Any, None]) -> None:
    asyncio.run(story)


async def until_acknowledged(store: RedisStore, *drafts: Any) -> Any:  # noqa: ANN401 - Draft, Appended
    """Repeat an operation as a caller would until it has been acknowledged."""
    deadline = asyncio.get_running_loop().time() + 30.0
    while True:
        try:
            return await store.append(list(drafts))
        except StoreUnavailable:
            assert asyncio.get_running_loop().time() < deadline


async def until_renewed(store: RedisStore, lease: Lease = LEASE) -> Any:  # noqa: ANN401 - Renewal
    """Renew a lease as a replica does, again and again until it is confirmed."""
    deadline = asyncio.get_running_loop().time() + 30.0
    while True:
        try:
            return await store.renew(lease)
        except StoreUnavailable:
            assert asyncio.get_running_loop().time() < deadline


async def held_by(node: RedisServer) -> list[str]:
    """Return the tags that a node has by itself, whoever it follows."""
    return sorted(tell(node, "HKEYS", "{annul}:tags"))


def with_timeout(url: str, seconds: float) -> str:
    return f"{url}&timeout={seconds}"


def test_what_is_acknowledged_is_on_every_node(sentinels: Sentinels) -> None:
    async def story() -> None:
        async with opened(sentinels.url, found=True) as store:
            for number in range(20):
                draft = sample_draft(Kind.TOKEN, str(number))
                await store.append([draft])
                for node in sentinels.nodes:
                    assert draft.tag.hex() in await held_by(node)

    play(story())


def test_with_a_node_down_nothing_is_acknowledged_and_leases_still_are(
    hasty: Sentinels,
) -> None:
    draft, other = sample_draft(Kind.TOKEN, "a"), sample_draft(Kind.TOKEN, "b")

    async def story() -> None:
        async with opened(with_timeout(hasty.url, 0.5), found=True) as store:
            await store.append([other])
            down = hasty.replicas[0]
            down.kill()

            with pytest.raises(StoreUnavailable):
                await store.append([draft])
            with pytest.raises(StoreUnavailable):
                await store.begin(sample_session())
            renewal = await until_renewed(store)
            assert renewal is not None
            assert renewal.head.seq == 2

            # Repeating it does not make it acknowledged: it stands in the log, but not on all.
            with pytest.raises(StoreUnavailable):
                await store.append([draft])

            hasty.bring_back(down)
            (entry,) = (await until_acknowledged(store, draft)).entries
            assert entry.position.seq == 2
            assert draft.tag.hex() in await held_by(down)

    play(story())


def test_with_most_nodes_down_no_lease_is_confirmed(hasty: Sentinels) -> None:
    async def story() -> None:
        async with opened(with_timeout(hasty.url, 0.5), found=True) as store:
            await store.renew(LEASE)
            down = hasty.replicas
            for node in down:
                node.kill()

            with pytest.raises(StoreUnavailable):
                await store.renew(LEASE)
            for node in down:
                hasty.bring_back(node)
            assert await until_renewed(store) is not None

    play(story())


def test_a_promoted_node_has_everything_and_opens_an_epoch(hasty: Sentinels) -> None:
    drafts = [sample_draft(Kind.TOKEN, str(number)) for number in range(30)]

    async def story() -> None:
        async with opened(with_timeout(hasty.url, 0.5), found=True) as store:
            entries = [(await store.append([draft])).entries[0] for draft in drafts]
            first = hasty.primary
            first.kill()
            eventually(lambda: hasty.primary is not first, within=30.0)

            renewal = await until_renewed(store)
            assert renewal.head == entries[-1].watermark
            hasty.bring_back(first)
            last = sample_draft(Kind.TOKEN, "last")
            (entry,) = (await until_acknowledged(store, last)).entries
            assert entry.position.epoch > entries[-1].position.epoch
            snapshot = await store.snapshot()
            assert {one.tag for one in snapshot.entries} == {d.tag for d in (*drafts, last)}

    play(story())


def test_a_shard_that_fails_over_loses_nothing(cluster: Cluster) -> None:
    drafts = [sample_draft(Kind.TOKEN, str(number)) for number in range(30)]

    async def story() -> None:
        async with opened(with_timeout(cluster.url, 0.5), found=True) as store:
            entries = [(await store.append([draft])).entries[0] for draft in drafts]
            first = cluster.shard_of("annul")[0]
            first.kill()
            eventually(lambda: cluster.shard_of("annul")[0] is not first, within=30.0)

            with pytest.raises(StoreUnavailable):
                await store.renew(LEASE)  # of two nodes, most are both
            first.start()
            last = sample_draft(Kind.TOKEN, "last")
            (entry,) = (await until_acknowledged(store, last)).entries
            assert entry.position.epoch > entries[-1].position.epoch
            snapshot = await store.snapshot()
            assert {one.tag for one in snapshot.entries} == {d.tag for d in (*drafts, last)}
            assert await until_renewed(store) is not None

    play(story())


def test_a_store_keeps_to_one_shard_whatever_its_prefix(cluster: Cluster) -> None:
    async def story() -> None:
        for prefix in ("annul", "shop", "other", "a.b:c"):
            url = f"{cluster.url}&prefix={prefix}"
            async with opened(url, found=True) as store:
                await store.append([sample_draft(Kind.TOKEN, prefix)])
                (entry,) = (await store.snapshot()).entries
                assert entry.id == prefix
                primary = cluster.shard_of(prefix)[0]
                assert tell(primary, "EXISTS", f"{{{prefix}}}:log") == 1

    play(story())


@pytest.mark.parametrize(
    ("setting", "value"), [("appendfsync", "no"), ("maxmemory_policy", "allkeys-lru")]
)
@pytest.mark.parametrize("which", [0, 1])
def test_a_node_that_becomes_unsafe_ends_acknowledgements(
    sentinels: Sentinels, which: int, setting: str, value: str
) -> None:
    node = [sentinels.primary, *sentinels.replicas][which]

    async def acknowledges(store: RedisStore) -> bool:
        try:
            await store.append([sample_draft(Kind.TOKEN, "x")])
        except UnsafeStore:
            return False
        return True

    async def story() -> None:
        async with opened(sentinels.url, found=True) as store:
            assert await acknowledges(store)
            node.configure(**{setting: value})
            deadline = asyncio.get_running_loop().time() + 10.0
            while await acknowledges(store):
                assert asyncio.get_running_loop().time() < deadline
            with pytest.raises(UnsafeStore):
                async with opened(sentinels.url, found=True):
                    pass

    play(story())


def test_a_node_that_was_not_counted_ends_acknowledgements_at_once(
    hasty: Sentinels, own_redis: RedisServer
) -> None:
    async def story() -> None:
        async with opened(hasty.url, found=True) as store:
            primary = hasty.primary
            tell(own_redis, "REPLICAOF", primary.host, str(primary.port))
            eventually(lambda: "connected_slaves:3" in tell(primary, "INFO", "replication"))

            with pytest.raises(UnsafeStore):
                await store.append([sample_draft(Kind.TOKEN, "x")])
            with pytest.raises(UnsafeStore):
                await store.append([sample_draft(Kind.TOKEN, "x")])

    play(story())


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda url: url.replace("nodes=3", "nodes=2"), UnsafeStore),
        (lambda url: url.replace("nodes=3", "nodes=4"), StoreUnavailable),
        (lambda url: url.replace("?nodes=3", ""), Misconfigured),
        (lambda url: url.replace("/shop/", "/other/"), Misconfigured),
        (lambda url: url.replace("+sentinel", "+cluster").replace("/shop/0", ""), AnnulError),
    ],
    ids=["too-few", "too-many", "uncounted", "unknown-service", "no-cluster"],
)
def test_a_url_that_does_not_fit_the_servers_is_refused(
    sentinels: Sentinels,
    change: Callable[[str], str],
    error: type[AnnulError],
) -> None:
    async def story() -> None:
        with pytest.raises(error):
            async with opened(change(sentinels.url), found=True):
                pass

    play(story())


def test_a_single_url_is_refused_where_a_replica_may_be_promoted(sentinels: Sentinels) -> None:
    alone = f"redis://127.0.0.1:{sentinels.primary.port}/0"

    async def story() -> None:
        with pytest.raises(UnsafeStore):
            async with opened(alone, found=True):
                pass
        async with opened(f"{alone}?failover=never", found=True) as store:
            await store.append([sample_draft(Kind.TOKEN, "x")])

    play(story())


def test_a_store_on_several_nodes_is_not_opened_as_one(sentinels: Sentinels) -> None:
    alone = f"redis://127.0.0.1:{sentinels.primary.port}/0?failover=never"

    async def story() -> None:
        async with opened(sentinels.url, found=True):
            pass
        with pytest.raises(Misconfigured):
            async with opened(alone, found=True):
                pass
        async with opened(alone) as store:
            with pytest.raises(Misconfigured):
                await store.renew(LEASE)

    play(story())


def test_a_store_that_gets_more_nodes_goes_on_in_a_new_epoch(sentinels: Sentinels) -> None:
    alone = f"redis://127.0.0.1:{sentinels.primary.port}/0?failover=never"

    async def story() -> None:
        async with opened(alone, found=True) as store:
            (before,) = (await store.append([sample_draft(Kind.TOKEN, "a")])).entries
        async with opened(sentinels.url, found=True) as store:
            (after,) = (await store.append([sample_draft(Kind.TOKEN, "b")])).entries
            assert after.position.epoch > before.position.epoch
            assert len((await store.snapshot()).entries) == 2

    play(story())


def test_a_stranger_is_not_counted_for_a_node_that_is_down(
    cluster: Cluster, own_redis: RedisServer
) -> None:
    async def story() -> None:
        async with opened(with_timeout(cluster.url, 0.5), found=True) as store:
            await store.append([sample_draft(Kind.TOKEN, "x")])
            # A node lists a replica once it has heard of how far that one is.
            eventually(lambda: len(cluster.shard_of("annul")) == 2, within=30.0)
            primary, replica = cluster.shard_of("annul")
            replica.kill()
            tell(own_redis, "REPLICAOF", primary.host, str(primary.port))
            eventually(lambda: f"port={own_redis.port}" in tell(primary, "INFO", "replication"))
            deadline = asyncio.get_running_loop().time() + 2.0
            while asyncio.get_running_loop().time() < deadline:
                with pytest.raises(StoreUnavailable):
                    await store.append([sample_draft(Kind.TOKEN, "y")])

    play(story())


def test_an_authority_that_waits_for_fewer_nodes_than_there_are_acknowledges_nothing(
    sentinels: Sentinels,
) -> None:
    alone = f"redis://127.0.0.1:{sentinels.primary.port}/0?failover=never"

    async def story() -> None:
        async with opened(alone, found=True) as before:
            await before.append([sample_draft(Kind.TOKEN, "a")])
            async with opened(sentinels.url, found=True):
                pass
            with pytest.raises(UnsafeStore):
                await before.append([sample_draft(Kind.TOKEN, "b")])

    play(story())


def test_a_replica_learns_from_the_store_how_many_nodes_there_are(hasty: Sentinels) -> None:
    uncounted = hasty.url.replace("?nodes=3", "?timeout=0.5")

    async def story() -> None:
        async with opened(hasty.url, found=True), opened(uncounted) as store:
            assert await store.renew(LEASE) is not None
            for node in hasty.replicas:
                node.kill()
            with pytest.raises(StoreUnavailable):
                await store.renew(LEASE)

    play(story())


def test_sentinels_that_are_down_are_passed_over(hasty: Sentinels) -> None:
    dead = "127.0.0.1:1"
    url = hasty.url.replace("://", f"://{dead},")

    async def story() -> None:
        async with opened(url, found=True) as store:
            await store.append([sample_draft(Kind.TOKEN, "x")])
        async with opened(f"redis+sentinel://{dead}/shop/0?nodes=3") as store:
            with pytest.raises(StoreUnavailable):
                await store.renew(LEASE)

    play(story())
