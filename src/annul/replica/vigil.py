"""The vigil: looks at the clocks and the news for everybody who cannot ask at every moment.

``verify`` judges when it is called. A connection that lasts, and a listener that wants to know when
a replica goes stale, have to be told. One task per replica does that, on the portal's loop beside
the follower. One timer is enough: for the end of the window, and for whichever token runs out next.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from collections import deque
from math import inf
from typing import TYPE_CHECKING

from annul.core.events import Fresh, Stale
from annul.core.verifier import recheck
from annul.errors import TokenRejected, UnknownKey
from annul.portal import portal
from annul.replica.causes import stale
from annul.replica.freshness import answers_late, is_open, prolonged
from annul.replica.watch import wake
from annul.replica.watches import Watches

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from annul.core.events import Event
    from annul.core.revocation import Revocation
    from annul.core.verifier import Verifier
    from annul.errors import AnnulError
    from annul.replica.freshness import Moment, Window
    from annul.replica.late import Late
    from annul.replica.watch import Held, Watch

    Ended = tuple[Watch, Held | None, AnnulError]

__all__ = ["Vigil"]

log = logging.getLogger("annul.replica")

_LOOKS_PER_STALENESS = 8
_LONGEST_PAUSE = 0.25
_SHORTEST_PAUSE = 0.001
_AT_ONCE = 500


class Vigil:
    """Ends the watches of one verifier, and tells when it becomes stale and fresh again.

    ``window`` is read anew at each look. A clock that is set, or a machine that was suspended, is
    noticed at the next look, an eighth of Δ later at most.
    """

    def __init__(
        self,
        *,
        verifier: Verifier,
        window: Callable[[], Window],
        max_staleness: float,
        accept_for: float,
        late: Late,
        now: Callable[[], Moment],
        tell: Callable[[Event], object] | None = None,
    ) -> None:
        self.watches = Watches(verifier.policy.issuer)
        self._verifier = verifier
        self._window = window
        self._accept_for = accept_for
        self._late = late
        self._now = now
        self._tell = tell
        self._tick = min(max_staleness / _LOOKS_PER_STALENESS, _LONGEST_PAUSE)
        self._news: deque[tuple[Revocation, ...] | None] = deque()
        self._trusted = verifier.jwks
        self._was_fresh = False
        self._lock = threading.Lock()
        self._running: Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._woken = asyncio.Event()

    # --- from any thread --------------------------------------------------------------

    def start(self) -> Vigil:
        """Begin, unless that is going on already. Raises ``Unavailable`` at the process's end."""
        with self._lock:
            if self._running is None:
                self._running = portal.submit(self.run())
        return self

    def look_soon(self) -> None:
        """Look again, because there is one more watch: without any, nobody was waited for."""
        self._wake()

    def close(self) -> None:
        """Look no more. Whoever waits for a watch is told that the replica is closed."""
        self.stop()
        self._end_all("closed")

    def check(self, held: Held) -> None:
        """Raise what ``verify`` would say now of what is held."""
        # As there: the window before the look-ups, the clocks after them.
        window = self._window()
        unknown = None
        try:
            recheck(self._verifier, held.token, held.binding)
        except UnknownKey as error:
            unknown = error
        now = self._now()
        if not is_open(window, now):
            if unknown is not None or not self._late.accepts(window, now):
                raise stale(window.cause)
        elif unknown is not None:
            raise unknown

    def stop(self) -> None:
        """Look no more. Takes no lock: garbage may be collected inside any."""
        if self._running is not None:
            self._running.cancel()

    def learnt(self, entries: tuple[Revocation, ...]) -> None:
        """Take note of entries that have just been applied, or, without any, of something else."""
        # Whoever comes in after this is judged by what has been applied before it.
        if len(self.watches) or self._tell is not None:
            self._news.append(entries)
            self._wake()

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._woken.set)

    def abandon(self) -> None:
        """End everything in a forked child, which has none of the threads."""
        self._running = self._loop = None
        self.watches.abandon(lambda: stale("forked"))

    # --- the task ---------------------------------------------------------------------

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        self._loop = asyncio.get_running_loop()
        while True:
            self._woken.clear()
            try:
                await self._round()
            except Exception:
                # What was lost on the way is found by judging all of them.
                log.exception("a look at the watches failed; judging all of them again")
                self._news.append(None)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._woken.wait()

    async def _round(self) -> None:
        now = self._look()
        if not len(self.watches):
            self._news.clear()
            return
        due = self.watches.due(now.wall)
        for watch in await self._judge(due):
            self.watches.enter(watch, watch.held)  # the clock went back meanwhile
        while self._news:
            entries = self._news.popleft()
            await self._judge(
                self.watches.everyone() if entries is None else self.watches.concerned(entries)
            )
        trusted = self._verifier.jwks
        if trusted is not self._trusted:
            kids = frozenset(key.kid for key in trusted)
            await self._judge(self.watches.with_keys_gone(kids))
            self._trusted = trusted

    def _pause(self) -> float | None:
        """Return for how long nothing can end by itself; ``None`` if nobody would want to know."""
        if not len(self.watches) and self._tell is None:
            return None
        now, window = self._now(), prolonged(self._window(), self._accept_for)
        due = self.watches.next_due()
        moments = (
            window.monotonic_until - now.monotonic,
            window.wall_until - now.wall,
            inf if due is None else due - now.wall,
        )
        # What is over already has been looked at, so it is no reason to hurry.
        return max(_SHORTEST_PAUSE, min(self._tick, *(left for left in moments if left > 0), inf))

    def _look(self) -> Moment:
        """End everything if this replica cannot tell any more; return by which clocks."""
        window, now = self._window(), self._now()
        self._report(window, now)
        if len(self.watches) and not (is_open(window, now) or self._answers_late(window, now)):
            self._end_all(window.cause)
        return now

    def _answers_late(self, window: Window, now: Moment) -> bool:
        return self._accept_for > 0 and answers_late(window, self._accept_for, now)

    def _report(self, window: Window, now: Moment) -> None:
        fresh = is_open(window, now)
        if self._tell is not None and fresh is not self._was_fresh:
            self._tell(Fresh(at=now.wall) if fresh else Stale(at=now.wall, cause=window.cause))
        self._was_fresh = fresh

    # --- judging ----------------------------------------------------------------------

    async def _judge(self, watches: list[Watch]) -> list[Watch]:
        """End those whose token the verifier refuses now; return the others."""
        others = []
        for start in range(0, len(watches), _AT_ONCE):
            if start:
                await asyncio.sleep(0)  # the follower's renewals go on meanwhile
                self._look()
            refused: list[Ended] = []
            for watch in watches[start : start + _AT_ONCE]:
                held = watch.held
                try:
                    recheck(self._verifier, held.token, held.binding)
                except TokenRejected as error:
                    refused.append((watch, held, error))
                else:
                    others.append(watch)
            wake(self.watches.end(refused))
        return others

    def _end_all(self, cause: str) -> None:
        found: list[Ended] = [(watch, None, stale(cause)) for watch in self.watches.everyone()]
        wake(self.watches.end(found))
