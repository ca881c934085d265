"""Asking several servers the same thing, of which some may be down or cut off."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from redis.exceptions import RedisError, ResponseError

from annul.stores.redis_lane import connect_to, exchange

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annul.stores.redis_lane import Command
    from annul.stores.redis_url import Address, Host

__all__ = ["ask_most"]

_LONGEST = 0.5


async def ask_most(
    hosts: Sequence[Host], address: Address, command: Command, *, sentinel: bool = False
) -> list[tuple[Host, Any]]:
    """Return what hosts answer, errors of theirs included, as soon as most of them have.

    Those that have not by then are left out, and so are those that did not within half a second:
    what is asked for here is only where to go, and one that is cut off must not hold that up.
    """
    calls = [_ask(host, address, command, sentinel=sentinel) for host in hosts]
    waiting = {asyncio.ensure_future(call) for call in calls}
    answers: list[tuple[Host, Any]] = []
    try:
        async with asyncio.timeout(min(_LONGEST, address.timeout / 2)):
            while waiting and len(answers) <= len(hosts) // 2:
                done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                answers += [answer for one in done if (answer := one.result()) is not None]
    except TimeoutError:
        pass
    finally:
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    return answers


async def _ask(
    host: Host, address: Address, command: Command, *, sentinel: bool
) -> tuple[Host, Any] | None:
    connection = connect_to(host, address, sentinel=sentinel)
    try:
        await connection.connect()  # type: ignore[no-untyped-call]  # theirs
        return host, (await exchange(connection, [command]))[0]
    except ResponseError as error:
        return host, error
    except (RedisError, OSError):
        return None
    finally:
        await connection.disconnect(nowait=True)
