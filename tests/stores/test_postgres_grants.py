"""A replica's role does what a replica does, and can do nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from annul.core.revocation import Kind
from annul.core.session import BEGINNING
from annul.errors import Misconfigured
from annul.stores import grants_of
from annul.stores.base import Lease, StoredRing
from annul.stores.postgres_schema import replica_grants
from annul.testing import NOW, sample_draft, sample_identity, sample_session
from tests.stores.postgres_bench import another, play

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from annul.stores.postgres import PostgresStore
    from tests.postgres_server import PostgresServer

    Story = Callable[[PostgresStore, PostgresStore], Coroutine[Any, Any, None]]

FORBIDDEN = (
    "SELECT ring FROM {schema}.identity",
    "SELECT * FROM {schema}.identity",
    "SELECT * FROM {schema}.sessions",
    "SELECT fingerprint FROM {schema}.offers",
    "INSERT INTO {schema}.log SELECT * FROM {schema}.log",
    "UPDATE {schema}.log SET expires_at = 1",
    "DELETE FROM {schema}.log",
    "UPDATE {schema}.identity SET jwks = ''",
    "SELECT seq FROM {schema}.identity FOR UPDATE",
    "BEGIN; LOCK TABLE {schema}.log IN EXCLUSIVE MODE; COMMIT",
    "INSERT INTO {schema}.sessions DEFAULT VALUES",
    "DELETE FROM {schema}.offers",
    "TRUNCATE {schema}.leases",
    "CREATE TABLE {schema}.mine (id int)",
    "DROP TABLE {schema}.leases",
)


def play_both(server: PostgresServer, story: Story, *, grants: bool = True) -> str:
    """Tell a story of an authority and a replica with a role of its own; return the schema."""
    url = server.store_url()
    schema = url.partition("schema=")[2]

    async def go(authority: PostgresStore) -> None:
        await authority.swap_ring(0, StoredRing(1, "sealed", '{"keys":[]}'))
        await authority.begin(sample_session())
        await authority.append([sample_draft(Kind.TOKEN, "first")])
        if not server.run("SELECT 1 FROM pg_roles WHERE rolname = 'verifier'"):
            server.run("CREATE ROLE verifier LOGIN")
        if grants:
            server.run(replica_grants(schema, "verifier"))
        async with another(url.replace("postgres@", "verifier@")) as replica:
            await story(authority, replica)

    play(url, go)
    return schema


def test_a_replica_can_do_all_that_a_replica_does(postgres_server: PostgresServer) -> None:
    async def story(authority: PostgresStore, replica: PostgresStore) -> None:
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

    play_both(postgres_server, story)


def test_a_replica_can_do_nothing_else(postgres_server: PostgresServer) -> None:
    async def story(authority: PostgresStore, replica: PostgresStore) -> None:
        before = await authority.snapshot()
        verbs = (
            lambda: replica.found(sample_identity(), NOW),
            lambda: replica.append([sample_draft(Kind.SUBJECT, "alice")]),
            lambda: replica.begin(sample_session()),
            lambda: replica.sessions("alice", NOW),
            replica.ring,
            lambda: replica.swap_ring(1, StoredRing(2, "ring", "jwks")),
            lambda: replica.prune(NOW * 2),
            replica.offers,
            lambda: replica.settle(before.entries),
        )
        for verb in verbs:
            with pytest.raises(Misconfigured):
                await verb()
        assert await authority.snapshot() == before

    schema = play_both(postgres_server, story)
    for text in FORBIDDEN:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            postgres_server.run(text.format(schema=schema), user="verifier")


def test_a_role_without_grants_is_told_so(postgres_server: PostgresServer) -> None:
    async def story(_authority: PostgresStore, replica: PostgresStore) -> None:
        lease = Lease(id="a", watermark=None, max_staleness=2.0)
        with pytest.raises(Misconfigured):
            await replica.renew(lease)

    play_both(postgres_server, story, grants=False)


def test_they_are_what_is_given_for_the_url_of_a_store() -> None:
    url = "postgresql://verifier@db.internal/shop?schema=mine"
    assert grants_of(url, "reader") == replica_grants("mine", "reader")


def test_the_documentation_shows_these_grants() -> None:
    page = Path(__file__).parents[2] / "docs" / "how-to" / "choose-a-store.md"

    assert replica_grants("annul", "annul_verifier") in page.read_text(encoding="utf-8")
