"""Connections that break, are cut, frozen, cancelled or inherited, and what is said about it."""

from __future__ import annotations

import asyncio
import gc
import os
from typing import TYPE_CHECKING

import pytest

from annul.core.revocation import Kind
from annul.errors import StoreUnavailable
from annul.stores.base import Lease
from annul.stores.postgres_wire import Statement
from annul.testing import sample_draft
from tests.stores.postgres_bench import another, backends, ended, play

if TYPE_CHECKING:
    from annul.stores.postgres import PostgresStore
    from annul.stores.postgres_wire import Wire
    from tests.postgres_server import PostgresServer

LEASE = Lease(id="a", watermark=None, max_staleness=2.0)


async def append(store: PostgresStore, name: str) -> None:
    await store.append([sample_draft(Kind.TOKEN, name)])


# --- what breaks ----------------------------------------------------------------------------


def test_a_restarted_server_is_used_again_at_once(own_postgres: PostgresServer) -> None:
    async def story(store: PostgresStore) -> None:
        await append(store, "before")
        own_postgres.kill()
        with pytest.raises(StoreUnavailable):
            await append(store, "meanwhile")
        own_postgres.start()
        await append(store, "after")
        ids = [entry.id for entry in (await store.snapshot()).entries]
        assert ids == ["before", "after"]

    play(own_postgres.store_url(), story)


def test_a_server_that_hangs_is_given_up_in_time(own_postgres: PostgresServer) -> None:
    async def story(store: PostgresStore) -> None:
        loop = asyncio.get_running_loop()
        await store.wait(1.0)
        own_postgres.freeze()
        began = loop.time()
        attempts = (append(store, "a"), store.identity(), store.renew(LEASE), store.wait(0.1))
        for error in await asyncio.gather(*map(ended, attempts)):
            assert error is None or type(error) is StoreUnavailable
        assert loop.time() - began < 2.0
        own_postgres.thaw()
        await append(store, "b")

    play(own_postgres.store_url(timeout="0.3"), story)


def test_a_cut_connection_is_replaced(postgres_server: PostgresServer) -> None:
    url = postgres_server.store_url()

    async def story(store: PostgresStore) -> None:
        await append(store, "before")
        postgres_server.run(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'annul'"
        )
        await append(store, "after")

    play(url, story)


def test_a_bell_that_lost_its_connection_says_so_and_rings_again(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.store_url()

    async def story(store: PostgresStore) -> None:
        await store.wait(0.0)
        waiting = asyncio.ensure_future(store.wait(30.0))
        (listener,) = await backends(postgres_server, "query LIKE 'LISTEN%%'")
        postgres_server.run("SELECT pg_terminate_backend(%s, 5000)", listener)
        if await ended(waiting) is None:
            # It may have rung for the server's last words, but does so only once.
            assert type(await ended(store.wait(30.0))) is StoreUnavailable
        await store.wait(30.0)  # the first wait of a connection rings at once
        waiting = asyncio.ensure_future(store.wait(30.0))
        await append(store, "jti")
        await waiting

    play(url, story)


# --- what is cancelled ----------------------------------------------------------------------


def test_what_was_cancelled_answers_no_later_question(postgres_server: PostgresServer) -> None:
    async def story(store: PostgresStore) -> None:
        for turns in range(30):
            work = asyncio.ensure_future(store.session(f"nobody {turns}"))
            for _ in range(turns % 6):
                await asyncio.sleep(0)
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            identity = await store.identity()
            assert identity is not None
            assert (await store.published_keys()).version == 0

    play(postgres_server.store_url(), story)


def test_a_cancelled_writer_lets_the_lock_go(postgres_server: PostgresServer) -> None:
    url = postgres_server.store_url()

    async def story(store: PostgresStore) -> None:
        async with another(url) as other:
            holding = asyncio.ensure_future(
                other._link.use(
                    lambda wire: wire.exchange(
                        Statement("BEGIN"),
                        Statement("SELECT seq FROM identity FOR UPDATE"),
                        Statement("SELECT pg_sleep(30)"),
                    )
                )
            )
            await backends(postgres_server, "wait_event = 'PgSleep'")
            appending = asyncio.ensure_future(append(store, "jti"))
            await backends(postgres_server, "wait_event_type = 'Lock'")
            (sleeper,) = await backends(postgres_server, "wait_event = 'PgSleep'")
            holding.cancel()
            postgres_server.run("SELECT pg_cancel_backend(%s)", sleeper)
            await appending
            await asyncio.gather(holding, return_exceptions=True)

    play(url, story)


def test_a_writer_that_falls_silent_holds_the_lock_no_longer_than_an_operation_may_take(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.store_url(timeout="0.3")

    async def story(silent: PostgresStore) -> None:
        gone = asyncio.Event()

        async def hold(wire: Wire) -> None:
            lock = Statement("SELECT seq FROM identity FOR UPDATE")
            await wire.exchange(Statement("BEGIN"), lock)
            await gone.wait()

        async with another(url.replace("0.3", "20")) as patient:
            holding = asyncio.ensure_future(silent._link.use(hold, timeout=20.0))
            await backends(postgres_server, "state = 'idle in transaction'")
            await append(patient, "jti")
            gone.set()
            await asyncio.gather(holding, return_exceptions=True)

    play(url, story)


def test_closing_wakes_whoever_waits(postgres_server: PostgresServer) -> None:
    async def story(store: PostgresStore) -> None:
        await store.wait(0.0)
        waiting = asyncio.ensure_future(store.wait(30.0))
        await backends(postgres_server, "query LIKE 'LISTEN%%'")
        await store.close()
        with pytest.raises(StoreUnavailable):
            await waiting

    play(postgres_server.store_url(), story)


# --- what is inherited ----------------------------------------------------------------------


def test_a_child_leaves_the_connections_of_its_parent_alone(
    postgres_server: PostgresServer,
) -> None:
    async def in_child(store: PostgresStore) -> None:
        await append(store, "child")
        await store.close()

    async def story(store: PostgresStore) -> None:
        await append(store, "before")
        await store.wait(0.0)
        used = await backends(postgres_server, "state IS NOT NULL")
        pid = os.fork()
        if not pid:
            asyncio._set_running_loop(None)
            asyncio.run(in_child(store))
            del store
            gc.collect()
            os._exit(0)
        assert await asyncio.to_thread(os.waitpid, pid, 0) == (pid, 0)
        await append(store, "after")
        ids = [entry.id for entry in (await store.snapshot()).entries]
        assert ids == ["before", "child", "after"]
        assert set(await backends(postgres_server, "state IS NOT NULL")) >= set(used)

    play(postgres_server.store_url(), story)
