"""Which of the hosts of a URL to connect to: the one that takes writes, found again if it moves."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import psycopg

from annul.stores.postgres_errors import Refusal
from annul.stores.postgres_wire import Wire

if TYPE_CHECKING:
    from annul.stores.postgres_url import Address

__all__ = ["Route"]


class Route:
    """The way to the primary, as all connections of one handle know it.

    ``host`` is the one that is tried first. It is the next one as soon as any connection to it has
    failed: an old primary that came back takes writes too, and confirms none of them.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self.host = 0

    async def connect(self) -> Wire:
        """Connect to the first host, from the preferred one on, that takes writes.

        Of the time for an operation, each host gets a part that leaves some for the operation: one
        that hangs must not keep everybody from the others.
        """
        hosts = len(self._address.hosts)
        if hosts == 1:
            return await Wire.connect(self._address)
        part = self._address.timeout / (hosts + 1)
        failures: list[Exception] = []
        first = self.host
        for host in ((first + turn) % hosts for turn in range(hosts)):
            try:
                async with asyncio.timeout(part):
                    wire = await Wire.connect(self._address, host)
            except (Refusal, psycopg.Error, OSError) as failure:
                failures.append(failure)
            else:
                self.host = host
                return wire
        # What a server has said tells more than that another one has said nothing.
        raise next((one for one in failures if isinstance(one, Refusal)), failures[0])

    def leads(self, wire: Wire) -> bool:
        """Whether a connection goes where one would connect to now."""
        return wire.host == self.host

    def failed(self, wire: Wire) -> None:
        """Take note that a connection has failed."""
        if self.leads(wire):
            self.host = (self.host + 1) % len(self._address.hosts)
