"""An honest browser with several tabs, and a thief who has read its refresh token.

What an honest browser does: its tabs share one pair of tokens. A tab refreshes when the access
token they share is running out, with the refresh token that the browser has at that moment, the
newest. If no answer comes, it tries again soon with the same one, as long as the grace window of
its first use lasts, or with a newer one if the browser has got that meanwhile.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from tests.tabs.desk import ACCESS_TTL, GRACE
from tests.tabs.ledger import UNANSWERED
from tests.tabs.timeline import TOGETHER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from annul.authority.grants import Grant
    from tests.tabs.desk import Answer, Desk
    from tests.tabs.ledger import Ledger, Record
    from tests.tabs.timeline import Timeline

_TRIP = 0.8
_PATIENCE = 2.0
_LOST = 0.3
_SPARE = 30.0
_MARGIN = 2 * TOGETHER


class Browser:
    """Tabs that share a session. ``logged_out`` is set as soon as any of them is refused.

    With ``outages`` every answer comes, but it may be that the store did not confirm. Nobody can
    say then whether the token is used up, so its tabs wait for longer than any window.
    """

    def __init__(
        self,
        timeline: Timeline,
        ledger: Ledger,
        desks: Sequence[Desk],
        random: Random,
        *,
        tabs: int,
        grant: Grant,
        record: Record,
        outages: bool = False,
    ) -> None:
        self.timeline = timeline
        self.ledger = ledger
        self.random = random
        self.record = record
        self.tabs = tabs
        self.token = grant.refresh_token
        self.fresh_until = timeline.now + ACCESS_TTL
        self.lost = 0
        self.late = 0
        self.logged_out = False
        self._desks = desks
        self._outages = outages
        self._first_sent: dict[str, float] = {}

    async def live(self, rounds: int) -> None:
        """Be used for a while: so many times, the access token runs out."""
        for _ in range(rounds):
            # Now and then the machine sleeps, and all its tabs wake up at the same moment.
            slept = self.random.random() < 0.2
            await self.timeline.sleep(
                self.random.uniform(ACCESS_TTL, 9000) if slept else ACCESS_TTL - _SPARE
            )
            if self.logged_out:
                return
            awake = max(1, sum(self.random.random() < 0.8 for _ in range(self.tabs)))
            spread = 0.0 if slept else self.random.choice((0.0, 0.3, 3.0))
            await self.timeline.gather(
                *(self.refresh(self.random.uniform(0, spread)) for _ in range(awake))
            )

    async def refresh(self, delay: float) -> None:
        """Be a tab that notices, so many seconds from now, that the access token runs out."""
        await self.timeline.sleep(delay)
        stubborn = self.random.random() < 0.3
        token = self.token
        # A stubborn tab does not look whether another one has been answered meanwhile.
        while self._needs_token() or (stubborn and self._still_inside(token)):
            if not self._still_inside(token):
                token = self.token
            answer = await self._send(token)
            if answer is None:
                continue
            if answer.code == UNANSWERED:
                patience = self.random.uniform(GRACE, 600) if self._outages else 1.0
                await self.timeline.sleep(patience)
                continue
            self._keep(answer)
            return

    def _needs_token(self) -> bool:
        return not self.logged_out and self.timeline.now > self.fresh_until - _SPARE - 1

    def _left(self, token: str) -> float:
        """For how long a retry of this token is surely inside the window."""
        since = self.timeline.now - self._first_sent.setdefault(token, self.timeline.now)
        return GRACE - since - _MARGIN

    def _still_inside(self, token: str) -> bool:
        """Whether the browser has a newer one, but this one may be presented all the same."""
        return not self.logged_out and token != self.token and self._left(token) > _TRIP

    def _keep(self, answer: Answer) -> None:
        if answer.code:
            self.logged_out = True
            return
        self.token = answer.refresh
        self.fresh_until = self.timeline.now + ACCESS_TTL

    async def _send(self, token: str) -> Answer | None:
        """Send a request, and return what comes back; ``None`` if nothing does."""
        random, left = self.random, self._left(token)
        slow = random.random() < 0.1 and not self._outages
        # A slow request may arrive as late as the window allows: then its token is an old one.
        there = random.uniform(_TRIP, left) if slow and left > _TRIP else random.uniform(0, _TRIP)
        await self.timeline.sleep(there)
        self.late += token != self.token
        answer = await self.ledger.present(self.record, random.choice(self._desks), token)
        # Some answer has to come while there is a window: nobody could be honest without one.
        in_time = self._left(token) > _PATIENCE + _TRIP
        if in_time and random.random() < _LOST and not self._outages:
            self.lost += 1
            await self.timeline.sleep(max(0.0, _PATIENCE - there))
            return None
        await self.timeline.sleep(random.uniform(0, _TRIP))
        return answer


class Habit(Enum):
    """When a thief uses what was stolen: before the browser does, or after it and how much."""

    FIRST = "before the browser"
    SOON = "inside the window, as a second tab would"
    LATE = "after the window"
    OLDER = "inside the window of the generation after the next"


_ROUNDS_TO_WAIT = {Habit.FIRST: 0, Habit.SOON: 1, Habit.LATE: 1, Habit.OLDER: 2}


class Thief:
    """Somebody who copies the refresh token of a browser once, and lives on it."""

    def __init__(self, browser: Browser, desks: Sequence[Desk], habit: Habit) -> None:
        self.browser = browser
        self.habit = habit
        self.used = 0
        self._desks = desks

    async def live(self) -> None:
        """Steal, and go on until the session is over."""
        browser, random = self.browser, self.browser.random
        sleep = browser.timeline.sleep
        await sleep(random.uniform(0, 3 * ACCESS_TTL))
        if self.habit is Habit.FIRST:
            # While the browser is at rest, with the newest that it has.
            while browser.timeline.now > browser.fresh_until - _SPARE - 10:
                await sleep(5)
        copy = newest = browser.token
        for _ in range(_ROUNDS_TO_WAIT[self.habit]):
            while browser.token == newest:
                await sleep(1)
            newest = browser.token
        if self.habit is not Habit.FIRST:
            late = self.habit is Habit.LATE
            await sleep(random.uniform(GRACE, 2000) if late else random.uniform(0, 1))
        while not browser.logged_out:
            self.used += 1
            answer = await browser.ledger.present(browser.record, random.choice(self._desks), copy)
            if answer.code:
                return
            copy = answer.refresh
            await sleep(random.uniform(1, 900))
