"""The way from a process to its store: slow, lossy, cut in one direction, and out of order.

Nothing is corrupted. A request may be lost, be carried out without an answer, arrive after a later
one of another connection, or, where the contract makes that harmless, arrive twice. Whoever asked
learns of a loss by an error sooner or later, as drivers have time-outs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from annul.errors import StoreUnavailable

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from tests.simulation.virtual_time import Process, World

T = TypeVar("T")

_GIVES_UP = 2.0


class Link:
    """One process's way to the store. What goes wrong with it is set from outside."""

    def __init__(self, world: World, process: Process) -> None:
        self.world = world
        self.process = process
        self.random = process.random
        self.delay = 0.001
        self.loss = 0.0
        self.twice = 0.0
        self.deaf = False
        """Answers do not arrive."""
        self.mute = False
        """Requests do not arrive."""

    def heal(self) -> None:
        self.delay, self.loss, self.twice = 0.001, 0.0, 0.0
        self.deaf = self.mute = False

    def how_long(self) -> float:
        return self.delay * self.random.uniform(0.5, 1.5)

    async def ask(self, request: Callable[[], T], *, repeatable: bool = False) -> T:
        """Have the store do something, and return what it answers."""
        world, process = self.world, self.process
        if process.dead:
            raise StoreUnavailable("the process is gone")
        future: asyncio.Future[T] = process.loop.create_future()

        def settle(answer: T | BaseException) -> None:
            if process.dead or future.done():
                return
            if isinstance(answer, BaseException):
                future.set_exception(answer)
            else:
                future.set_result(answer)
            process.look()

        def give_up() -> None:
            settle(StoreUnavailable("no answer"))

        def arrive() -> None:
            answer = self._carry_out(request)
            if self.deaf or self.random.random() < self.loss:
                world.after(self._patience(), give_up)
            else:
                world.after(self.how_long(), partial(settle, answer))

        if self.mute or self.random.random() < self.loss:
            world.after(self._patience(), give_up)
        else:
            world.after(self.how_long(), arrive)
            if repeatable and self.random.random() < self.twice:
                again = self.how_long() + self.random.random() * 2
                world.after(again, partial(self._carry_out, request))
        return await future

    def _carry_out(self, request: Callable[[], T]) -> T | BaseException:
        if self.process.dead and self.random.random() < 0.5:
            return StoreUnavailable("it was lost with the process")
        try:
            return request()
        except Exception as error:  # noqa: BLE001 - it travels to whoever asked
            return error

    def _patience(self) -> float:
        # A connection that is refused says so at once; one that is cut does not.
        return self.random.choice((0.01, 0.3, _GIVES_UP))
