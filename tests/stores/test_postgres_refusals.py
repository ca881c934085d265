"""What is said about a server that lets nobody in, or holds something else; and by whose fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annul.core.revocation import Kind
from annul.errors import AnnulError, Misconfigured, StoreUnavailable, WrongStore
from annul.stores.base import Lease
from annul.stores.postgres_schema import SCHEMA_VERSION
from annul.testing import NOW, sample_draft, sample_identity
from tests.postgres_server import GUARDED
from tests.servers import free_port
from tests.stores.postgres_bench import ended, play

if TYPE_CHECKING:
    from annul.stores.postgres import PostgresStore
    from tests.postgres_server import PostgresServer

LEASE = Lease(id="a", watermark=None, max_staleness=2.0)


def schema_of(url: str) -> str:
    return url.partition("schema=")[2].partition("&")[0]


def refusal_of(url: str) -> AnnulError:
    caught: list[BaseException | None] = []

    async def story(store: PostgresStore) -> None:
        caught.append(await ended(store.found(sample_identity(), NOW)))

    play(url, story, found=False)
    (error,) = caught
    assert isinstance(error, AnnulError)
    return error


def test_a_wrong_password_is_the_deployers_fault_and_is_not_repeated(
    postgres_server: PostgresServer,
) -> None:
    postgres_server.run(f"DROP ROLE IF EXISTS {GUARDED}")
    postgres_server.run(f"CREATE ROLE {GUARDED} LOGIN PASSWORD 'right'")

    for password in ("wr0ng", ""):
        error = refusal_of(postgres_server.url(user=f"{GUARDED}:{password}"))
        assert type(error) is Misconfigured
        assert "wr0ng" not in str(error)
        assert "wr0ng" not in repr(error.__cause__)


def test_what_is_not_there_is_the_deployers_fault(postgres_server: PostgresServer) -> None:
    for url in (
        postgres_server.url("nosuchdatabase"),
        postgres_server.url(user="nosuchrole"),
        postgres_server.url(sslmode="require"),
    ):
        assert type(refusal_of(url)) is Misconfigured


def test_a_server_that_is_not_there_may_come_back() -> None:
    url = f"postgresql://127.0.0.1:{free_port()}/annul"

    assert type(refusal_of(url)) is StoreUnavailable


def test_a_role_that_may_make_nothing_is_told_so(postgres_server: PostgresServer) -> None:
    postgres_server.run("DROP ROLE IF EXISTS powerless")
    postgres_server.run("CREATE ROLE powerless LOGIN")

    error = refusal_of(postgres_server.store_url().replace("postgres@", "powerless@"))

    assert type(error) is Misconfigured


def test_a_server_without_room_says_so(own_postgres: PostgresServer) -> None:
    own_postgres.run("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")

    error = refusal_of(own_postgres.store_url().replace("postgres@", "crowded@"))

    assert type(error) is StoreUnavailable
    assert "max_connections" in str(error)


def test_the_tables_of_a_newer_version_are_left_alone(postgres_server: PostgresServer) -> None:
    url = postgres_server.store_url()

    async def story(store: PostgresStore) -> None:
        postgres_server.run(
            f"UPDATE {schema_of(url)}.identity SET schema_version = {SCHEMA_VERSION + 1}"  # noqa: S608 - ours
        )
        verbs = (
            lambda: store.found(sample_identity(), NOW),
            lambda: store.append([sample_draft(Kind.TOKEN, "jti")]),
            lambda: store.renew(LEASE),
            store.snapshot,
            store.identity,
        )
        for verb in verbs:
            assert type(await ended(verb())) is WrongStore
        rows = postgres_server.run(f"SELECT count(*) FROM {schema_of(url)}.leases")  # noqa: S608 - ours
        assert rows == [(0,)]

    play(url, story)


def test_somebody_elses_tables_are_left_alone(postgres_server: PostgresServer) -> None:
    url = postgres_server.store_url()
    postgres_server.run(f"CREATE SCHEMA {schema_of(url)}")
    postgres_server.run(f"CREATE TABLE {schema_of(url)}.sessions (id int)")

    assert type(refusal_of(url)) is WrongStore
    assert postgres_server.run(f"SELECT count(*) FROM {schema_of(url)}.sessions") == [(0,)]  # noqa: S608 - ours
