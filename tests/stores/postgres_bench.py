"""What tests of the PostgreSQL store begin from: a loop, handles in it, and an administrator."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

from annul.stores.postgres import PostgresStore, from_url
from annul.testing import ISSUER, NOW, sample_identity

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine

    from tests.postgres_server import PostgresServer

LIMIT = 60.0


def play(
    url: str, story: Callable[[PostgresStore], Coroutine[Any, Any, None]], *, found: bool = True
) -> None:
    """Run a story with a handle on a store, which is founded first unless told otherwise."""

    async def go() -> None:
        store = from_url(url, issuer=ISSUER)
        try:
            async with asyncio.timeout(LIMIT):
                if found:
                    await store.found(sample_identity(), NOW)
                await story(store)
        finally:
            await store.close()

    asyncio.run(go())


@contextlib.asynccontextmanager
async def another(url: str, **options: Any) -> Any:  # noqa: ANN401 - a store, and what from_url takes
    """Give one more handle."""
    store = from_url(url, **{"issuer": ISSUER} | options)
    try:
        yield store
    finally:
        await store.close()


async def backends(server: PostgresServer, condition: str) -> list[int]:
    """Wait until sessions of annul are in some state, and return their process ids."""
    query = f"SELECT pid FROM pg_stat_activity WHERE application_name = 'annul' AND {condition}"  # noqa: S608 - ours
    async with asyncio.timeout(LIMIT):
        while not (rows := await asyncio.to_thread(server.run, query)):
            pass
    return [pid for (pid,) in rows]


async def ended(work: Awaitable[object]) -> BaseException | None:
    """Return what a piece of work ends with, ``None`` if it ends well."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 - it is the answer
        return error
    return None
