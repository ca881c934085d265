"""Where Redis Sentinel says that the primary is.

What it says is only where to go. A Sentinel that is cut off may name a primary that has been
replaced; what is written there is not acknowledged, since not all nodes have it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from annul.errors import AnnulError, Misconfigured, StoreUnavailable
from annul.stores.redis_asking import ask_most
from annul.stores.redis_errors import explain
from annul.stores.redis_url import Host

if TYPE_CHECKING:
    from annul.stores.redis_lane import Command
    from annul.stores.redis_url import Address

__all__ = ["SentinelRoute"]

Fields = dict[bytes, bytes]


class SentinelRoute:
    """Follows the primary of a service."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._primary: Host | None = None
        self._asking = asyncio.Lock()

    async def find(self) -> Host:
        """Return the primary; of several opinions the one that was voted for last."""
        async with self._asking:
            if self._primary is None:
                known = [_fields(answer) for answer in await self._ask("MASTER")]
                newest = max(known, key=lambda one: int(one.get(b"config-epoch", b"0")))
                self._primary = _host(newest)
            return self._primary

    async def others(self) -> tuple[Host, ...]:
        """Return the replicas that any Sentinel knows, those that are down included."""
        primary = await self.find()
        found = {_host(_fields(one)) for answer in await self._ask("REPLICAS") for one in answer}
        return tuple(sorted(found - {primary}))

    def is_at(self, host: Host) -> bool:
        return host == self._primary

    def forget(self) -> None:
        self._primary = None

    async def _ask(self, what: str) -> list[Any]:
        address = self._address
        command: Command = ("SENTINEL", what, address.service)
        answers = await ask_most(address.hosts, address, command, sentinel=True)
        good = [answer for _, answer in answers if not isinstance(answer, ResponseError)]
        if good:
            return good
        for host, error in answers:
            raise _refused(error, address, host)
        raise StoreUnavailable(f"none of the Sentinels of {address.place} answered")


def _fields(flat: list[bytes]) -> Fields:
    """Return the names and values that Redis lists one after the other."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _host(one: Fields) -> Host:
    return Host(one[b"ip"].decode(), int(one[b"port"]))


def _refused(error: ResponseError, address: Address, host: Host) -> AnnulError:
    if "No such master" in str(error):
        return Misconfigured(f"the Sentinel at {host} knows no service {address.service}")
    return explain(error, f"the Sentinel at {host}")
