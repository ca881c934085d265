"""Simulated time for tasks that do real work: it moves on as soon as all of them wait for it."""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from annul.testing import FixedClock

    Life = Coroutine[Any, Any, None]

TOGETHER = 0.1
"""What is to happen within so many seconds happens at once, and really at the same time."""


class Timeline:
    """Runs tasks that sleep by a clock of its own.

    While any of them is awake the clock stands still, however long a store takes to answer. So what
    is in time here is so on the slowest machine.
    """

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._awake = 0
        self._rest = asyncio.Event()

    @property
    def now(self) -> float:
        """The simulated time in Unix seconds."""
        return self.clock()

    async def sleep(self, seconds: float) -> None:
        """Return so many simulated seconds later, give or take ``TOGETHER``."""
        woken = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self.now + seconds, next(self._numbers), woken))
        self._doze()
        await woken

    async def gather(self, *lives: Life) -> None:
        """Let tasks live side by side; return when the last of them has ended."""
        left = len(lives)

        async def live(life: Life) -> None:
            nonlocal left
            try:
                await life
            finally:
                left -= 1
                if left:
                    self._doze()  # the last one hands its turn on to the caller

        if lives:
            self._awake += len(lives) - 1  # one of them has the caller's turn
            await asyncio.gather(*map(live, lives))

    async def run(self, *lives: Life) -> None:
        """Let tasks live, and time pass for them, until they have all ended."""
        self._awake = 1
        whole = asyncio.ensure_future(self.gather(*lives))
        whole.add_done_callback(lambda _whole: self._rest.set())
        while not whole.done():
            await self._rest.wait()
            self._rest.clear()
            if not self._awake:
                self._wake()
        await whole

    def _doze(self) -> None:
        self._awake -= 1
        if not self._awake:
            self._rest.set()

    def _wake(self) -> None:
        first = self._sleepers[0][0]
        while self._sleepers and self._sleepers[0][0] <= first + TOGETHER:
            at, _number, woken = heappop(self._sleepers)
            self.clock.set(max(self.now, at))
            self._awake += 1
            woken.set_result(None)
