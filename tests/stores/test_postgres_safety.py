"""A server that would lose what it acknowledges is refused, at the start and later."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import psycopg
import pytest

from annul.core.revocation import Kind
from annul.errors import AnnulError, Misconfigured, StoreUnavailable, UnsafeStore
from annul.stores import postgres_sessions
from annul.stores.base import Lease
from annul.stores.postgres_wire import Statement
from annul.testing import NOW, sample_draft, sample_identity, sample_session
from tests.stores.postgres_bench import another, backends, ended, play

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annul.stores.postgres import PostgresStore
    from tests.postgres_server import PostgresServer

SETTINGS = [
    Statement("SELECT current_setting('synchronous_commit')"),
    Statement("SELECT current_setting('client_min_messages')"),
]
LONG_AGO = float("-inf")
DANGERS = {"fsync": "off", "full_page_writes": "off"}


@pytest.fixture
def server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A server whose settings are what they were when the test is over."""
    yield postgres_server
    postgres_server.restore("fsync", "full_page_writes", "synchronous_standby_names")


@contextlib.contextmanager
def follower(server: PostgresServer, name: str = "standby") -> Iterator[None]:
    """Let something follow the server as a standby does."""
    url = server.url().partition("?")[0] + f"?replication=true&application_name={name}"
    with contextlib.closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute("IDENTIFY_SYSTEM")
        yield


def schema_of(url: str) -> str:
    return url.partition("schema=")[2].partition("&")[0]


def found_on(url: str, *, allow_volatile: bool = False) -> None:
    async def story(_store: PostgresStore) -> None:
        async with another(url, allow_volatile=allow_volatile) as store:
            await store.found(sample_identity(), NOW)

    play(url, story, found=False)


@pytest.mark.parametrize("setting", DANGERS)
def test_a_setting_that_loses_commits_is_refused_with_its_name(
    server: PostgresServer, setting: str
) -> None:
    url = server.store_url()
    server.configure(**{setting: DANGERS[setting]})

    with pytest.raises(UnsafeStore, match=setting):
        found_on(url)
    found_on(url, allow_volatile=True)


def test_a_standby_that_nobody_waits_for_is_refused(server: PostgresServer) -> None:
    url = server.store_url()

    with follower(server):
        with pytest.raises(UnsafeStore, match="synchronous_standby_names"):
            found_on(url)
        found_on(url, allow_volatile=True)

    found_on(url)


@pytest.mark.parametrize("name", ["pg_basebackup", "pg_receivewal"])
def test_a_backup_that_is_being_made_is_no_standby(server: PostgresServer, name: str) -> None:
    with follower(server, name):
        found_on(server.store_url())


def test_an_ordinary_role_sees_what_follows_the_server(own_postgres: PostgresServer) -> None:
    server = own_postgres
    server.run("CREATE ROLE ordinary LOGIN; GRANT CREATE ON DATABASE postgres TO ordinary")
    url = server.store_url().replace("postgres@", "ordinary@")

    with follower(server, "pg_basebackup"):
        found_on(url)
    with follower(server), pytest.raises(UnsafeStore):
        found_on(url)


@pytest.mark.parametrize("setting", DANGERS)
def test_writes_end_when_a_setting_becomes_unsafe(server: PostgresServer, setting: str) -> None:
    async def story(store: PostgresStore) -> None:
        await store.append([sample_draft(Kind.TOKEN, "before")])
        server.configure(**{setting: DANGERS[setting]})
        store._checked_at = LONG_AGO
        with pytest.raises(UnsafeStore):
            await store.append([sample_draft(Kind.TOKEN, "refused")])
        with pytest.raises(UnsafeStore):
            await store.begin(sample_session())
        server.restore(setting)
        await store.append([sample_draft(Kind.TOKEN, "after")])
        entries = (await store.snapshot()).entries
        assert [entry.id for entry in entries] == ["before", "after"]

    play(server.store_url(), story)


def test_the_server_is_asked_again_within_half_a_second() -> None:
    assert postgres_sessions._CHECK_EVERY <= 0.5


def test_a_table_that_a_crash_would_empty_is_refused(server: PostgresServer) -> None:
    url = server.store_url()
    found_on(url)
    server.run(f"ALTER TABLE {schema_of(url)}.log SET UNLOGGED")

    with pytest.raises(UnsafeStore, match="unlogged"):
        found_on(url)


def test_commits_are_flushed_whatever_the_role_prefers(server: PostgresServer) -> None:
    # synchronous_commit is not a matter of trust in the administrator: it is set, and looked at.
    server.run("DROP ROLE IF EXISTS hasty")
    server.run("CREATE ROLE hasty LOGIN SUPERUSER")
    server.run("ALTER ROLE hasty SET synchronous_commit = off")
    server.run("ALTER ROLE hasty SET default_transaction_isolation = serializable")
    server.run("ALTER ROLE hasty SET client_min_messages = error")

    async def story(store: PostgresStore) -> None:
        await store.append([sample_draft(Kind.TOKEN, "jti")])
        answer = await store._link.use(lambda wire: wire.exchange(*SETTINGS))
        assert [rows.rows for rows in answer] == [[("on",)], [("warning",)]]

    play(server.store_url().replace("postgres@", "hasty@"), story)


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        *(("synchronous_commit", weak, UnsafeStore) for weak in ("off", "local", "remote_write")),
        ("search_path", "public", AnnulError),
    ],
)
def test_a_session_that_a_pooler_gave_to_somebody_else_is_noticed(
    server: PostgresServer, name: str, value: str, error: type[AnnulError]
) -> None:
    async def story(store: PostgresStore) -> None:
        changed = Statement("SELECT set_config($1, $2, false)", (name, value))
        await store._link.use(lambda wire: wire.exchange(changed))
        with pytest.raises(error):
            await store.append([sample_draft(Kind.TOKEN, "jti")])
        assert (await store.snapshot()).entries == ()

    play(server.store_url(), story)


def test_a_session_in_the_schema_of_another_store_is_noticed(server: PostgresServer) -> None:
    url, other = server.store_url(), server.store_url()
    found_on(other)

    async def story(store: PostgresStore) -> None:
        changed = Statement("SELECT set_config('search_path', $1, false)", (schema_of(other),))
        for verb in (
            lambda: store.append([sample_draft(Kind.TOKEN, "jti")]),
            store.snapshot,
            lambda: store.found(sample_identity(), NOW),
        ):
            await store._link.use(lambda wire: wire.exchange(changed))
            assert type(await ended(verb())) is Misconfigured

    play(url, story)


@pytest.mark.parametrize("verb", ["append", "renew"])
def test_a_commit_that_no_standby_confirmed_is_not_acknowledged(
    server: PostgresServer, verb: str
) -> None:
    async def story(store: PostgresStore) -> None:
        draft = sample_draft(Kind.TOKEN, "jti")
        await store.append([sample_draft(Kind.TOKEN, "first")])
        server.configure(synchronous_standby_names="nobody")
        lease = Lease(id="a", watermark=None, max_staleness=2.0)
        work = asyncio.ensure_future(
            ended(store.append([draft]) if verb == "append" else store.renew(lease))
        )
        (waiting,) = await backends(server, "wait_event = 'SyncRep'")
        server.run("SELECT pg_cancel_backend(%s)", waiting)

        assert isinstance(await work, StoreUnavailable)

        server.restore("synchronous_standby_names")
        await store.append([draft])
        ids = [entry.id for entry in (await store.snapshot()).entries]
        assert ids == ["first", "jti"]

    play(server.store_url(timeout="30"), story)


def test_a_database_in_another_encoding_is_refused(server: PostgresServer) -> None:
    server.run("DROP DATABASE IF EXISTS latin")
    server.run("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")

    with pytest.raises(Misconfigured, match="UTF8"):
        found_on(server.url("latin"))


def test_a_standby_takes_no_writes_and_is_not_read(own_postgres: PostgresServer) -> None:
    server = own_postgres
    url = server.store_url()
    found_on(url)
    server.become_standby()

    async def story(store: PostgresStore) -> None:
        lease = Lease(id="a", watermark=None, max_staleness=2.0)
        verbs = (
            store.identity,
            store.snapshot,
            lambda: store.found(sample_identity(), NOW),
            lambda: store.renew(lease),
            lambda: store.append([sample_draft(Kind.TOKEN, "jti")]),
        )
        for verb in verbs:
            with pytest.raises(StoreUnavailable):
                await verb()

    play(url, story, found=False)
