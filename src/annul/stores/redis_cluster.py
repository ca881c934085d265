"""Which node of a Redis Cluster takes the writes for a prefix.

All keys of a store have one hash tag, so they lie in one slot, and one primary with its replicas
has them all. The rest of the cluster is of no concern to this store.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from redis.crc import key_slot
from redis.exceptions import ResponseError

from annul.errors import StoreUnavailable
from annul.stores.redis_asking import ask_most
from annul.stores.redis_errors import explain
from annul.stores.redis_url import Host

if TYPE_CHECKING:
    from collections.abc import Iterable

    from annul.stores.redis_url import Address

__all__ = ["ClusterRoute", "Shard", "shards_in"]

_FIRST_SLOT = 8  # the field of CLUSTER NODES from which on a line lists slots


@dataclass(frozen=True, slots=True)
class Shard:
    """A primary that claims a slot, since when by the cluster's count, and its replicas."""

    primary: Host
    epoch: int
    replicas: tuple[Host, ...]

    @property
    def hosts(self) -> tuple[Host, ...]:
        """All of them, the primary first."""
        return (self.primary, *self.replicas)


class ClusterRoute:
    """Follows the primary of the slot of a prefix."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._slot = key_slot(address.prefix.encode())
        self._shard: Shard | None = None
        self._known: tuple[Host, ...] = ()
        self._asking = asyncio.Lock()

    async def find(self) -> Host:
        """Return the primary; of several that claim the slot the one elected last."""
        async with self._asking:
            if self._shard is None:
                # Of several that claim the slot the one that was elected last.
                self._shard = max(await self._ask(), key=lambda shard: shard.epoch)
                self._known = self._shard.hosts
            return self._shard.primary

    async def others(self) -> tuple[Host, ...]:
        """Return the replicas of the slot that any node knows, those that are down included."""
        primary = await self.find()
        # News travels from node to node, so one of them may know less than another.
        claims = await self._ask()
        return tuple(sorted({host for one in claims for host in one.hosts} - {primary}))

    def is_at(self, host: Host) -> bool:
        return self._shard is not None and host == self._shard.primary

    def forget(self) -> None:
        self._shard = None

    async def _ask(self) -> list[Shard]:
        address = self._address
        hosts = tuple(dict.fromkeys((*address.hosts, *self._known)))
        answers = await ask_most(hosts, address, ("CLUSTER", "NODES"))
        claims = [
            shard
            for host, answer in answers
            if not isinstance(answer, ResponseError)
            for shard in shards_in(answer.decode(), self._slot, host)
        ]
        if claims:
            return claims
        for _, answer in answers:
            if isinstance(answer, ResponseError):
                raise explain(answer, address.place)
        raise StoreUnavailable(f"no node of {address.place} knows who has slot {self._slot}")


def shards_in(text: str, slot: int, asked: Host) -> Iterable[Shard]:
    """Yield who claims a slot in the answer that ``asked`` gave to ``CLUSTER NODES``."""
    nodes = [words for line in text.splitlines() if len(words := line.split()) >= _FIRST_SLOT]
    for words in nodes:
        if any(_holds(one, slot) for one in words[_FIRST_SLOT:]):
            replicas = [other for other in nodes if other[3] == words[0]]
            yield Shard(
                _host(words, asked),
                int(words[6]),
                tuple(_host(other, asked) for other in replicas if "noaddr" not in other[2]),
            )


def _holds(text: str, slot: int) -> bool:
    # A slot that moves stands in brackets besides: it is still its old owner's.
    if text.startswith("["):
        return False
    first, _, last = text.partition("-")
    return int(first) <= slot <= int(last or first)


def _host(words: list[str], asked: Host) -> Host:
    # ip:port@bus,hostname; a node that does not know its own address leaves it out.
    place, _, _ = words[1].partition(",")
    name, _, port = place.partition("@")[0].rpartition(":")
    return Host(name or asked.name, int(port))
