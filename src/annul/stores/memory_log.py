"""The reading half of the store in memory, and the state that all handles of one name share."""

from __future__ import annotations

import asyncio
import os
import threading
from bisect import bisect_right
from typing import TYPE_CHECKING

from annul.core.claims import Clock, system_clock
from annul.core.denylist import Denylist
from annul.core.revocation import Revocation, Watermark
from annul.errors import StoreUnavailable, WrongStore
from annul.stores.base import (
    MOST_OFFERS,
    Diverged,
    Identity,
    Lease,
    LogReader,
    PublishedKeys,
    Renewal,
    Snapshot,
    StoredRing,
)
from annul.stores.rules import behind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annul.core.revocation import Position
    from annul.core.session import Session

__all__ = ["MemoryLog"]


class State:
    """What all handles of one name share. Every access holds ``lock``."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.lock = threading.RLock()
        self.handles = 0
        self.identity: Identity | None = None
        self.log: list[Revocation] = []
        self.tags: dict[bytes, Revocation] = {}
        self.denylist = Denylist()
        self.head = Watermark(0, 0, b"")
        self.genesis = self.head
        self.pruned = 0
        self.sessions: dict[str, Session] = {}
        self.families: dict[bytes, str] = {}
        self.stored_ring: StoredRing | None = None
        self.leases: dict[str, Lease] = {}
        self.offers: dict[bytes, Revocation] = {}
        self.time = 0.0
        self.bells: set[Bell] = set()


class Bell:
    """Wakes one waiter, whose event loop may be in another thread than the writer's."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def ring(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:
            return  # that loop is closed, so nobody is waiting in it

    async def wait(self, timeout: float) -> None:
        try:
            async with asyncio.timeout(timeout):
                await self._event.wait()
        except TimeoutError:
            return


_states: dict[str, State] = {}
_states_lock = threading.Lock()


class MemoryLog(LogReader):
    """A handle on a store in memory, for reading the log and writing its own lease."""

    def __init__(
        self, name: str = "", *, issuer: str | None = None, clock: Clock = system_clock
    ) -> None:
        self._clock = clock
        self._name = name
        self._issuer = issuer
        self._joined: State | None = None
        self._closed = False

    # --- reading the log --------------------------------------------------------------

    async def identity(self) -> Identity | None:
        return self._open().identity

    async def renew(self, lease: Lease) -> Renewal | None:
        state = self._open()
        with state.lock:
            if state.identity is None:
                return None
            before = state.leases.get(lease.id)
            state.leases[lease.id] = lease
            return Renewal(
                head=state.head,
                store_time=max(state.time, self._clock()),
                keys_version=0 if state.stored_ring is None else state.stored_ring.version,
                horizon=state.identity.horizon,
                lineage=state.identity.lineage,
                previous=None if before is None else before.beat,
            )

    async def release(self, lease_id: str) -> None:
        state = self._open()
        with state.lock:
            lease = state.leases.get(lease_id)
            if lease is not None and not self._proves_a_loss(lease):
                del state.leases[lease_id]

    def _proves_a_loss(self, lease: Lease) -> bool:
        """Whether a lease has seen what this log has no more: it stays until that is told."""
        state = self._open()
        return behind(state.head.position, lease.highest, max(state.time, self._clock()))

    async def leases(self) -> tuple[Lease, ...]:
        state = self._open()
        with state.lock:
            return tuple(state.leases.values())

    async def offer(self, entries: Sequence[Revocation]) -> None:
        state = self._open()
        with state.lock:
            for entry in entries:
                if len(state.offers) < MOST_OFFERS:
                    state.offers.setdefault(entry.tag, entry)
        self._ring_bells()

    async def changes(
        self, after: Watermark, limit: int = 1000
    ) -> tuple[Revocation, ...] | Diverged:
        state = self._open()
        with state.lock:
            if after == state.genesis and state.pruned == 0:
                return tuple(state.log[:limit])
            known = state.tags.get(after.tag)
            if known is None or known.watermark != after:
                pruned = after.epoch == state.head.epoch and 0 < after.seq <= state.pruned
                pruned = pruned or after == state.genesis
                return Diverged(pruned=pruned)
            return tuple(entry for entry in state.log if entry.position > after.position)[:limit]

    async def snapshot(self) -> Snapshot:
        state = self._open()
        with state.lock:
            return Snapshot(tuple(state.log), state.head)

    async def page(self, after: Position, limit: int = 1000) -> Snapshot:
        state = self._open()
        with state.lock:
            begin = bisect_right(state.log, after, key=lambda entry: entry.position)
            return Snapshot(tuple(state.log[begin : begin + limit]), state.head)

    async def published_keys(self) -> PublishedKeys:
        ring = self._open().stored_ring
        if ring is None:
            return PublishedKeys(0, '{"keys":[]}')
        return PublishedKeys(ring.version, ring.jwks)

    async def wait(self, timeout: float) -> None:
        state = self._open()
        bell = Bell()
        with state.lock:
            state.bells.add(bell)
        try:
            await bell.wait(timeout)
        finally:
            with state.lock:
                state.bells.discard(bell)

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with _states_lock:
            if self._joined is not None:
                self._joined.handles -= 1
                if self._joined.handles == 0:
                    _states.pop(self._name, None)

    def _open(self) -> State:
        if self._closed:
            raise StoreUnavailable("this store handle has been closed; open the store again")
        state = self._joined
        if state is None:
            with _states_lock:
                state = self._joined = _states.setdefault(self._name, State())
                state.handles += 1
        if state.pid != os.getpid():
            raise StoreUnavailable("a store in memory does not reach into forked processes")
        identity = state.identity
        if identity is not None and self._issuer not in {None, identity.issuer}:
            raise WrongStore("this store belongs to another issuer; give it a name of its own")
        return state

    def _ring_bells(self) -> None:
        state = self._open()
        with state.lock:
            bells = list(state.bells)
        for bell in bells:
            bell.ring()
