"""On how many nodes a write has to be before it counts. Pure: no connection in sight.

A revocation counts when *all* nodes have it, so whichever of them is promoted has it too. Waiting
for one of two replicas is not enough: the other one may be promoted. A lease counts when *most*
nodes have it: a primary that was replaced, and is cut off with fewer, keeps no verifier fresh, and
one node that is down keeps nobody from verifying.

``WAIT`` counts what was written before it on the same connection, and answers at its time-out too.
So it goes out together with the write, and what it answers is compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from annul.errors import StoreUnavailable, UnsafeStore
from annul.stores.redis_scripts import key
from annul.stores.redis_url import Host

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annul.stores.redis_lane import Command

__all__ = ["ALONE", "Copies"]

_A_REPLICA = re.compile(r"slave[0-9]+")


@dataclass(frozen=True, slots=True)
class Copies:
    """How many nodes keep a store, the primary included.

    ``synced`` asks for the append-only file of each of them to be on disk, which Valkey and Redis
    7.2 can tell (``WAITAOF``). Of older servers it is known by their settings only: a replica with
    ``appendfsync always`` syncs before it confirms.
    """

    nodes: int = 1
    synced: bool = False

    def for_all(self, prefix: str, milliseconds: int) -> tuple[Command, ...]:
        """Return what to send after a write that all nodes must have; ``check_all`` takes it.

        The counter is written so that there is something to wait for, whatever the operation
        before it has found: an entry that stands in the log already, or a session that has ended.
        """
        if self.nodes == 1:
            return ()
        waits: tuple[Command, ...] = (("WAIT", self.nodes - 1, milliseconds),)
        if self.synced:
            # By itself it takes a second: a replica says what it has synced when it is asked, a
            # moment before it syncs, and then once a second. Asked again, it has.
            waits += (("WAITAOF", 1, self.nodes - 1, milliseconds),)
        return (("INCR", key(prefix, "pulse")), *waits, ("INFO", "replication"))

    def check_all(self, answers: Sequence[Any], place: str, named: Sequence[Host] = ()) -> None:
        """Raise ``StoreUnavailable`` unless every node has the write.

        ``named`` are those that may be promoted: each of them has to be among those that follow,
        for somebody else may be following in the place of one.

        Raises ``UnsafeStore`` if there are more nodes than were counted on: one that has not been
        waited for could be promoted.
        """
        if self.nodes == 1:
            return
        _, *waited, info = answers
        online, replicas = _connected(info)
        if replicas >= self.nodes:
            raise UnsafeStore(
                f"{place} has {replicas} replicas, one of which may be promoted without what was"
                f" acknowledged: say nodes={replicas + 1}, or remove one"
            )
        # WAIT counts replicas; WAITAOF says whether it is on disk here, and on how many replicas.
        here, there = waited[-1] if self.synced else (1, waited[-1])
        there = min(there, waited[0])
        if here < 1 or there < self.nodes - 1:
            raise StoreUnavailable(
                f"only {here + there} of {self.nodes} nodes of {place} have it so far; all must"
            )
        if missing := set(named) - online:
            raise StoreUnavailable(
                f"{', '.join(map(str, sorted(missing)))} may be promoted but does not follow"
                f" {place}; somebody else does in its place"
            )

    def for_most(self, milliseconds: int) -> tuple[Command, ...]:
        """Return what to send after a write that most nodes must have; ``check_most`` takes it."""
        return (("WAIT", self.nodes // 2, milliseconds),) if self.nodes > 1 else ()

    def check_most(self, answers: Sequence[Any], place: str) -> None:
        """Raise ``StoreUnavailable`` unless most nodes have the write, the primary included."""
        if self.nodes > 1 and answers[0] < self.nodes // 2:
            raise StoreUnavailable(
                f"only {1 + answers[0]} of {self.nodes} nodes of {place} have confirmed the lease"
            )


ALONE = Copies()
"""The copies of a server that stands alone: what it has is all there is."""


def _connected(info: object) -> tuple[set[Host], int]:
    """Return which replicas are up to date, and how many there are of any kind."""
    if isinstance(info, ResponseError) or not isinstance(info, bytes):
        raise UnsafeStore("allow this user INFO: it tells which replicas there are")
    online: set[Host] = set()
    count = None
    for line in info.decode(errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == "connected_slaves":
            count = int(value)
        elif _A_REPLICA.fullmatch(name):
            told = dict(part.split("=", 1) for part in value.split(",") if "=" in part)
            if told.get("state") == "online":
                online.add(Host(told["ip"], int(told["port"])))
    if count is None:
        raise UnsafeStore("this server does not tell how many replicas it has")
    return online, count
