"""What a store handle sends its commands through: one round trip at a time, errors ours."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, TypeVar

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoScriptError,
    RedisError,
    ResponseError,
)

from annul.errors import StoreUnavailable
from annul.stores.redis_cluster import ClusterRoute
from annul.stores.redis_errors import explain, has_moved, lost
from annul.stores.redis_lane import Here, Lane, Route
from annul.stores.redis_sentinel import SentinelRoute

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from annul.stores.redis_lane import Command
    from annul.stores.redis_scripts import Script
    from annul.stores.redis_url import Address, Host

__all__ = ["Link"]

T = TypeVar("T")

_inherited: list[object] = []


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
        self._route = _route_for(self.address)
        self._work: Lane | None = None
        self._bell: Lane | None = None
        self._others: dict[Host, Lane] = {}

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

    def forget(self) -> None:
        """Look for the server anew before the next command: it may have been replaced."""
        self._route.forget()

    async def ask_others(self, *commands: Command) -> dict[Host, list[Any] | None]:
        """Return what the servers answer that may take this one's place; ``None``: nothing."""
        self._check_open()
        answers: dict[Host, list[Any] | None] = {}
        for host in await self._guarded(self._route.others()):
            lane = self._others.get(host)
            if lane is None:
                lane = self._others[host] = Lane(self.address, Here(host), primary=False)
            try:
                answers[host] = await lane.exchange(commands, self.address.timeout / 2)
            except (RedisError, OSError):
                answers[host] = None
        return answers

    async def close(self) -> None:
        """Disconnect. Closing twice is harmless."""
        if self._closed:
            return
        self._closed = True
        if self._pid == os.getpid():
            for lane in (self._work, self._bell, *self._others.values()):
                if lane is not None:
                    await lane.close()

    async def _exchange(
        self, commands: Sequence[Command], waiting: float | None = None
    ) -> list[Any]:
        lane = self._lane(waiting=waiting is not None)
        timeout = self.address.timeout + (waiting or 0.0)
        answers = await self._guarded(lane.exchange(commands, timeout))
        if any(isinstance(answer, ResponseError) and has_moved(answer) for answer in answers):
            self.forget()
        return answers

    async def _guarded(self, call: Coroutine[Any, Any, T]) -> T:
        try:
            return await call
        except (AuthenticationError, BusyLoadingError, ResponseError) as error:
            # Refused while connecting, or in a way that ends the connection.
            self.forget()
            raise explain(error, self.address.place) from error
        except (RedisError, OSError) as error:
            # asyncio.timeout raises an OSError too.
            self.forget()
            raise lost(error, self.address.place) from error

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("this store handle has been closed; open the store again")
        if self._pid != os.getpid():
            # The sockets are the parent's: not to be written to, and not to be closed politely.
            _inherited.append((self._work, self._bell, self._others, self._route))
            self._start()

    def _lane(self, *, waiting: bool) -> Lane:
        self._check_open()
        if waiting:
            self._bell = self._bell or self._new_lane()
            return self._bell
        self._work = self._work or self._new_lane()
        return self._work

    def _new_lane(self) -> Lane:
        return Lane(self.address, self._route, primary=bool(self.address.via))


def _route_for(address: Address) -> Route:
    match address.via:
        case "sentinel":
            return SentinelRoute(address)
        case "cluster":
            return ClusterRoute(address)
        case _:
            return Here(address.hosts[0])
