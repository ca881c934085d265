"""Fifty thousand connections watched at once: the room they take, and how soon they are closed.

Each connection is a task in ``async with replica.watch(token)``. Measured is the time from the call
of ``revoke`` until the last of them has left its block; the authority is in the same process.
"""

from __future__ import annotations

import asyncio
import gc
import json
import time
import tracemalloc
from itertools import count
from typing import TYPE_CHECKING

import annul

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["show_watching"]

URL = "memory://watching"
CLIENTS = 50


def show_watching(*, quick: bool, as_json: bool) -> int:
    """Measure and print."""
    number = 5_000 if quick else 50_000
    policy = annul.Policy(issuer="https://auth.example", audience="https://api.example")
    delta = 60.0  # on a busy machine everything might end by going stale instead
    with (
        annul.Authority.open(
            URL, issuer=policy.issuer, audience="https://api.example", max_staleness=delta
        ) as authority,
        # All tokens fit into its memory, so what is counted is the watches.
        annul.Replica.open(
            URL, policy=policy, max_staleness=delta, cache_size=4 * number
        ) as replica,
    ):
        figures = asyncio.run(measure(authority, replica, number))
    if as_json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:<52}{value:>12,.1f}")
    return 0


async def measure(
    authority: annul.Authority, replica: annul.Replica, number: int
) -> dict[str, float]:
    tokens = await asyncio.to_thread(log_in, authority, number)
    for token in tokens:
        replica.verify(token)
    figures: dict[str, float] = {"connections": number}
    figures["bytes for each watch"] = room_of(replica, tokens) / number
    began = time.perf_counter()
    tasks = await connect(replica, tokens)
    figures["µs to begin each, with its task"] = (time.perf_counter() - began) / number * 1e6
    one = annul.ClientId("client 7")
    of_one = tasks[7::CLIENTS]
    figures["connections of one client"] = len(of_one)
    figures["ms until those were closed"] = await closing(lambda: authority.revoke(one), of_one)
    rest = [task for task in tasks if not task.done()]
    figures["ms until all others were closed by Everything"] = await closing(
        lambda: authority.revoke(annul.Everything()), rest
    )
    return figures


def log_in(authority: annul.Authority, number: int) -> list[str]:
    return [
        authority.login(f"user {user}", client_id=f"client {user % CLIENTS}").access_token
        for user in range(number)
    ]


def room_of(replica: annul.Replica, tokens: list[str]) -> int:
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    watches = [replica.watch(token).__enter__() for token in tokens]
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    for watch in watches:
        watch.__exit__(None, None, None)
    return after - before


async def connect(replica: annul.Replica, tokens: list[str]) -> list[asyncio.Task[None]]:
    inside, everybody = count(1), asyncio.Event()

    async def connection(token: str) -> None:
        async with replica.watch(token):
            if next(inside) == len(tokens):
                everybody.set()
            await asyncio.Event().wait()

    tasks = [asyncio.create_task(connection(token)) for token in tokens]
    await everybody.wait()
    return tasks


async def closing(revoke: Callable[[], object], tasks: list[asyncio.Task[None]]) -> float:
    began = time.perf_counter()
    revoking = asyncio.get_running_loop().run_in_executor(None, revoke)
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    took = time.perf_counter() - began
    await revoking
    assert {type(error) for error in ended} == {annul.Revoked}
    return took * 1000
