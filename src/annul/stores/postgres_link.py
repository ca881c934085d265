"""The connections of one store handle: who may use which, for how long, and what if they break.

A pool would repair itself in the background. Here a connection that has failed is thrown away by
whoever was using it, and the next one who needs it connects again: an operation is never repeated
behind its caller's back.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, TypeVar

import psycopg

from annul.errors import StoreUnavailable
from annul.stores.postgres_errors import Refusal, explain, lost
from annul.stores.postgres_route import Route
from annul.stores.postgres_wire import Statement, Wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from annul.stores.postgres_url import Address

__all__ = ["Link"]

T = TypeVar("T")

_CONNECTIONS = 4
_PROBE_EVERY = 1.0
_PROBE = Statement("SELECT 1")
_inherited: list[object] = []


class Lane:
    """At most ``_CONNECTIONS`` connections. Each is used by one task at a time."""

    def __init__(self, address: Address, route: Route) -> None:
        self._patience = address.timeout
        self._route = route
        self._leaving: dict[asyncio.Future[None], Wire] = {}
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._idle: list[Wire] = []
        self._busy: set[Wire] = set()
        self._closed = False

    async def use(self, work: Callable[[Wire], Awaitable[T]]) -> T:
        """Give a connection to ``work``, and close it unless that ends well."""
        async with self._slots:
            wire = await self._take()
            self._busy.add(wire)
            try:
                result = await work(wire)
            except asyncio.CancelledError:
                self._route.failed(wire)
                leaving = asyncio.ensure_future(wire.abandon(self._patience))
                self._leaving[leaving] = wire
                leaving.add_done_callback(self._leaving.pop)
                raise
            except BaseException:
                self._route.failed(wire)
                wire.close()
                raise
            finally:
                self._busy.discard(wire)
            if self._closed:
                wire.close()
            else:
                self._idle.append(wire)
            return result

    async def close(self) -> None:
        """Close what is idle; whoever uses a connection gets an error."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
        for wire in self._busy:
            wire.hang_up()
        unfinished = dict(self._leaving)
        for leaving in unfinished:
            leaving.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)
        for wire in unfinished.values():
            wire.close()  # of those that had no time to begin

    async def _take(self) -> Wire:
        while self._idle:
            wire = self._idle.pop()
            if self._route.leads(wire) and wire.is_quiet():
                return wire
            wire.close()
        return await self._route.connect()


class Bell:
    """A connection of its own that listens: waiting must keep nobody from working."""

    def __init__(self, address: Address, route: Route) -> None:
        self._address = address
        self._route = route
        self._turn = asyncio.Semaphore(1)
        self._wire: Wire | None = None
        self._answered_at = 0.0

    async def wait(self, timeout: float) -> None:
        """Return when it rings, at the latest after ``timeout`` seconds.

        A line that was cut silently says nothing, so it is asked for a sign of life now and then.
        """
        async with self._turn:
            try:
                if self._wire is not None and not self._route.leads(self._wire):
                    self._hang_up()
                if self._wire is None:
                    self._wire = await self._listen()
                    return  # whatever rang before was not heard
                if asyncio.get_running_loop().time() - self._answered_at > _PROBE_EVERY:
                    await self._ask(self._wire, _PROBE)
                await self._wire.hear(timeout)
            except BaseException:
                self._hang_up()
                raise

    def close(self) -> None:
        """Hang up; whoever waits gets an error."""
        if self._wire is None:
            return
        if self._turn.locked():
            self._wire.hang_up()
        else:
            self._hang_up()

    def _hang_up(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            wire.close()

    async def _listen(self) -> Wire:
        async with asyncio.timeout(self._address.timeout):
            wire = await self._route.connect()
            try:
                await self._ask(wire, Statement(f'LISTEN "{channel(self._address)}"'))
            except BaseException:
                wire.close()
                raise
        return wire

    async def _ask(self, wire: Wire, statement: Statement) -> None:
        async with asyncio.timeout(self._address.timeout):
            await wire.exchange(statement)
        self._answered_at = asyncio.get_running_loop().time()


def channel(address: Address) -> str:
    """Return the name of the channel on which this store's bell rings."""
    return f"annul:{address.schema}"


class Link:
    """What a store handle asks its server through. Errors are ours."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._route = Route(self.address)
        self._lane: Lane | None = None
        self._bell: Bell | None = None

    async def use(self, work: Callable[[Wire], Awaitable[T]], *, timeout: float | None = None) -> T:
        """Return what ``work`` makes of a connection, within the time an operation may take."""
        self._check()
        self._lane = self._lane or Lane(self.address, self._route)
        return await self._told(self._lane.use(work), timeout or self.address.timeout)

    async def wait(self, timeout: float) -> None:
        """Wait for the bell; see ``Bell.wait``."""
        self._check()
        self._bell = self._bell or Bell(self.address, self._route)
        await self._told(self._bell.wait(timeout), timeout + 2 * self.address.timeout)

    async def close(self) -> None:
        """Disconnect. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        if self._pid == os.getpid():
            if self._bell is not None:
                self._bell.close()
            if self._lane is not None:
                await self._lane.close()

    async def _told(self, work: Awaitable[T], timeout: float) -> T:
        place = self.address.place
        try:
            async with asyncio.timeout(timeout):
                return await work
        except Refusal as refusal:
            raise explain(refusal, place) from refusal
        except (psycopg.Error, OSError) as error:
            # asyncio.timeout raises an OSError too.
            raise lost(error, place) from error

    def _check(self) -> None:
        if self._closed:
            raise StoreUnavailable("this store handle has been closed; open the store again")
        if self._pid != os.getpid():
            # The sockets are the parent's: not to be written to, and not to be closed politely.
            _inherited.append((self._lane, self._bell))
            self._start()
