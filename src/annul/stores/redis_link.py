"""The connections to one server: one round trip at a time, never repeated behind our back.

redis-py's own clients repeat commands after a lost connection. A repeated write may happen twice,
and its acknowledgement may come from a server that has only the second one, so commands go over
bare connections here, each sent once.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from redis.asyncio import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoScriptError,
    RedisError,
    ResponseError,
)

from annul.errors import StoreUnavailable
from annul.stores.redis_errors import explain, lost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annul.stores.redis_scripts import Script
    from annul.stores.redis_url import Address

    Command = tuple[str | bytes | int, ...]

__all__ = ["Link"]

_CONNECT_TIMEOUT = 1.0
_CONNECTIONS = 8
_inherited: list[object] = []


class Lane:
    """At most ``_CONNECTIONS`` connections. Each is used by one task at a time."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self._idle: list[Connection] = []
        self._all: list[Connection] = []

    async def exchange(self, commands: Sequence[Command], timeout: float) -> list[Any]:
        """Send commands in one go and return their answers; an error answer is one of them.

        If anything else goes wrong meanwhile, the connection is given up: what it still had to
        say must not be taken for the answer to the next command.
        """
        async with asyncio.timeout(timeout), self._slots:
            connection = self._idle.pop() if self._idle else self._make()
            try:
                if connection.is_connected and await connection.can_read():
                    await connection.disconnect(nowait=True)  # the server hung up meanwhile
                if not connection.is_connected:
                    await connection.connect()  # type: ignore[no-untyped-call]  # theirs
                await connection.send_packed_command(connection.pack_commands(commands))
                return [await _answer(connection) for _ in commands]
            finally:
                self._idle.append(connection)

    async def close(self) -> None:
        """Disconnect; whoever waits for an answer gets an error."""
        for connection in self._all:
            await connection.disconnect(nowait=True)

    def _make(self) -> Connection:
        address = self._address
        options: dict[str, Any] = {
            "host": address.host,
            "port": address.port,
            "db": address.db,
            "username": address.username,
            "password": address.password,
            # Time is kept by exchange, for everything together.
            "socket_timeout": None,
            "socket_connect_timeout": min(_CONNECT_TIMEOUT, address.timeout),
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
            "driver_info": None,
        }
        if address.tls:
            connection: Connection = SSLConnection(
                ssl_ca_certs=address.ca, ssl_check_hostname=True, **options
            )
        else:
            connection = Connection(**options)
        self._all.append(connection)
        return connection


async def _answer(connection: Connection) -> Any:  # noqa: ANN401 - whatever the command answers
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


class Link:
    """What a store handle sends its commands through.

    Errors are ours: ``StoreUnavailable`` if there was no answer, what ``explain`` makes of it if
    the answer was a refusal.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._work: Lane | None = None
        self._bell: Lane | None = None

    async def send(self, *commands: Command) -> list[Any]:
        """Return the answers to commands sent together; raise the first refusal among them."""
        return self.checked(await self.attempt(*commands))

    async def attempt(self, *commands: Command) -> list[Any]:
        """Return the answers to commands sent together, refusals among them as they are."""
        return await self._exchange(commands)

    async def call(self, script: Script, *arguments: str) -> Any:  # noqa: ANN401 - its answer
        """Return what a script answers."""
        (answer,) = self.checked(await self.call_and(script, arguments, ()))
        return answer

    async def call_and(
        self, script: Script, arguments: Sequence[str], also: Sequence[Command]
    ) -> list[Any]:
        """Run a script, then ``also`` on the same connection; return all answers as they are."""
        tail: Command = (len(script.keys), *script.names(self.address.prefix), *arguments)
        answers = await self._exchange([("EVALSHA", script.sha, *tail), *also])
        if isinstance(answers[0], NoScriptError):
            # So it has not run: a server forgets scripts when it restarts.
            answers = await self._exchange([("EVAL", script.source, *tail), *also])
        return answers

    async def listen(self, command: Command, timeout: float) -> Any:  # noqa: ANN401 - see send
        """Return the answer to a command that waits up to ``timeout`` seconds in the server.

        It has connections of its own, so that waiting keeps nobody from working.
        """
        (answer,) = self.checked(await self._exchange([command], waiting=timeout))
        return answer

    def checked(self, answers: list[Any]) -> list[Any]:
        """Return the answers if there is no refusal among them, and raise the first otherwise."""
        for answer in answers:
            if isinstance(answer, ResponseError):
                raise explain(answer, self.address.place)
        return answers

    async def close(self) -> None:
        """Disconnect. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        if self._pid == os.getpid():
            for lane in (self._work, self._bell):
                if lane is not None:
                    await lane.close()

    async def _exchange(
        self, commands: Sequence[Command], waiting: float | None = None
    ) -> list[Any]:
        lane = self._lane(waiting=waiting is not None)
        timeout = self.address.timeout + (waiting or 0.0)
        try:
            return await lane.exchange(commands, timeout)
        except (AuthenticationError, BusyLoadingError, ResponseError) as error:
            # Refused while connecting, or in a way that ends the connection.
            raise explain(error, self.address.place) from error
        except (RedisError, OSError) as error:
            # asyncio.timeout raises an OSError too.
            raise lost(error, self.address.place) from error

    def _lane(self, *, waiting: bool) -> Lane:
        if self._closed:
            raise StoreUnavailable("this store handle has been closed; open the store again")
        if self._pid != os.getpid():
            # The sockets are the parent's: not to be written to, and not to be closed politely.
            _inherited.append((self._work, self._bell))
            self._start()
        if waiting:
            self._bell = self._bell or Lane(self.address)
            return self._bell
        self._work = self._work or Lane(self.address)
        return self._work
