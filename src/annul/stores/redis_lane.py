"""Bare connections to one server, each command sent once.

redis-py's own clients repeat commands after a lost connection. A repeated write may happen twice,
and its acknowledgement may come from a server that has only the second one, so commands go over
bare connections here.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol

from redis.asyncio import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ReadOnlyError, ResponseError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annul.stores.redis_url import Address, Host

    Command = tuple[str | bytes | int, ...]

__all__ = ["Here", "Lane", "Route", "connect_to", "exchange"]

_CONNECT_TIMEOUT = 1.0
_CONNECTIONS = 8


class Route(Protocol):
    """**Protocol:** where the server is that takes the writes."""

    async def find(self) -> Host:
        """Return where it is, asking only if that is not known any more."""
        ...

    async def others(self) -> tuple[Host, ...]:
        """Return the servers that may take its place, those that are down included."""
        ...

    def is_at(self, host: Host) -> bool:
        """Whether it is believed to be there still."""
        ...

    def forget(self) -> None:
        """Ask anew next time."""
        ...


class Here:
    """The route to a server that stays where it is."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def find(self) -> Host:
        return self._host

    async def others(self) -> tuple[Host, ...]:
        return ()

    def is_at(self, host: Host) -> bool:
        return host == self._host

    def forget(self) -> None:
        """Nothing is to be forgotten: it is there or nowhere."""


class Lane:
    """At most ``_CONNECTIONS`` connections. Each is used by one task at a time.

    ``primary`` says that the server has to be one that takes writes, and is asked on connecting.
    """

    def __init__(self, address: Address, route: Route, *, primary: bool) -> None:
        self._address = address
        self._route = route
        self._primary = primary
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._idle: list[tuple[Host, Connection]] = []
        self._all: dict[int, Connection] = {}

    async def exchange(self, commands: Sequence[Command], timeout: float) -> list[Any]:
        """Send commands in one go and return their answers; an error answer is one of them.

        If anything else goes wrong meanwhile, the connection is given up: what it still had to
        say must not be taken for the answer to the next command.
        """
        async with asyncio.timeout(timeout), self._slots:
            host, connection = await self._connected()
            try:
                return await exchange(connection, commands)
            finally:
                self._idle.append((host, connection))

    async def _connected(self) -> tuple[Host, Connection]:
        while self._idle:
            host, connection = self._idle.pop()
            # Something to read before anything was asked: the server has hung up meanwhile.
            is_idle = connection.is_connected and not await connection.can_read()
            if is_idle and self._route.is_at(host):
                return host, connection
            del self._all[id(connection)]
            await connection.disconnect(nowait=True)
        host = await self._route.find()
        connection = connect_to(host, self._address)
        self._all[id(connection)] = connection
        try:
            await connection.connect()  # type: ignore[no-untyped-call]  # theirs
            if self._primary:
                await _check_role(connection)
        except BaseException:
            del self._all[id(connection)]
            await connection.disconnect(nowait=True)
            raise
        return host, connection

    async def close(self) -> None:
        """Disconnect; whoever waits for an answer gets an error."""
        for connection in self._all.values():
            await connection.disconnect(nowait=True)


def connect_to(host: Host, address: Address, *, sentinel: bool = False) -> Connection:
    """Return a connection that is not connected yet; ``sentinel`` is for those who know where."""
    options: dict[str, Any] = {
        "host": host.name,
        "port": host.port,
        "db": 0 if sentinel else address.db,
        "username": address.sentinel_username if sentinel else address.username,
        "password": address.sentinel_password if sentinel else address.password,
        # Time is kept by the caller, for everything together.
        "socket_timeout": None,
        "socket_connect_timeout": min(_CONNECT_TIMEOUT, address.timeout),
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,
        "driver_info": None,
    }
    if address.tls:
        return SSLConnection(ssl_ca_certs=address.ca, ssl_check_hostname=True, **options)
    return Connection(**options)


async def exchange(connection: Connection, commands: Sequence[Command]) -> list[Any]:
    """Send commands over a connection and return their answers."""
    await connection.send_packed_command(connection.pack_commands(commands))
    return [await _answer(connection) for _ in commands]


async def _check_role(connection: Connection) -> None:
    (role,) = await exchange(connection, [("ROLE",)])
    if isinstance(role, ResponseError):
        raise role
    if role[0] != b"master":
        raise ReadOnlyError("this is a replica by now", status_code="READONLY")


async def _answer(connection: Connection) -> Any:  # noqa: ANN401 - whatever the command answers
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error
