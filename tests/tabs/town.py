"""Many browsers on one store, some of them robbed, and what came of them all."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from random import Random
from typing import TYPE_CHECKING, TypeVar

import annul
from annul.core.revocation import Kind, Reason
from annul.errors import StoreUnavailable
from annul.testing import FixedClock
from tests.stage import ACCEPTED, POLICY, Stage, clock_of_now, outcome
from tests.tabs.browser import Browser, Habit, Thief
from tests.tabs.desk import ACCESS_TTL, Desk, LocalDesk, ShakyDesk, open_authority, open_remote
from tests.tabs.ledger import ENDED, Ledger, Record
from tests.tabs.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from annul.door import AsyncAuthority
    from tests.tabs.timeline import Life

T = TypeVar("T")

TABS = (2, 2, 2, 3, 3, 3, 10, 10, 10, 50)
"""How many tabs the browsers of a town have, in turn."""

HABITS = (Habit.FIRST, Habit.SOON, Habit.FIRST, Habit.LATE, Habit.FIRST, Habit.OLDER)
"""When the thieves of a town use their copies, in turn."""

_ROUNDS = 4
_LONGEST = 80
_COHORT = 200
_LISTED = 20
_CONNECTIONS = 10


@dataclass(kw_only=True)
class Tally:
    """What came of a town. All but ``sessions``, ``thefts`` and how it went there must be 0."""

    sessions: int = 0
    presented: int = 0
    unanswered: int = 0
    unconfirmed: int = 0
    lost: int = 0
    late: int = 0
    logged_out: int = 0
    thefts: int = 0
    reuses: int = 0
    undetected: int = 0
    siblings: int = 0
    violations: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.logged_out or self.undetected or self.siblings or self.violations)


@dataclass(kw_only=True)
class Town:
    """Two authorities of one store, and the time by which everybody lives."""

    authority: AsyncAuthority
    desks: Sequence[Desk]
    clock: FixedClock
    random: Random
    tally: Tally = field(default_factory=Tally)
    _people: int = 0

    async def live(
        self, sessions: int, thefts: int, *, harm: Callable[[], object] | None = None
    ) -> Tally:
        """Let honest browsers, and others that are robbed, live their lives.

        ``harm`` takes all connections away from the store; it is done again and again.
        """
        if harm is not None:
            one_at_a_time = asyncio.Lock()

            async def do_harm(harm: Callable[[], object] = harm) -> None:
                async with one_at_a_time:
                    await asyncio.to_thread(harm)

            self.desks = [ShakyDesk(desk, do_harm, self.random) for desk in self.desks]
        while sessions or thefts:
            honest = min(sessions, _COHORT)
            robbed = min(thefts, _COHORT)
            await self._live(honest, robbed, outages=harm is not None)
            sessions, thefts = sessions - honest, thefts - robbed
        return self.tally

    async def _live(self, honest: int, robbed: int, *, outages: bool) -> None:
        ledger = Ledger(Timeline(self.clock), self.authority._store.session)
        browsers = [await self._log_in(ledger, number, outages) for number in range(honest)]
        victims = [await self._log_in(ledger, number, outages) for number in range(robbed)]
        thieves = [
            Thief(victim, self.desks, habit)
            for victim, habit in zip(victims, cycle(HABITS), strict=False)
        ]
        lives: list[Life] = [browser.live(_ROUNDS) for browser in browsers]
        lives += [victim.live(_LONGEST) for victim in victims]
        lives += [thief.live() for thief in thieves]
        await ledger.timeline.run(*lives)

        tally = self.tally
        tally.sessions += honest
        tally.thefts += sum(thief.used > 0 for thief in thieves)
        tally.lost += sum(browser.lost for browser in (*browsers, *victims))
        tally.late += sum(browser.late for browser in (*browsers, *victims))
        tally.logged_out += sum(browser.record.refused for browser in browsers)
        tally.undetected += ledger.undetected
        tally.undetected += sum(victim.record.ended_at is None for victim in victims)
        await self._look_back(ledger)
        tally.presented += ledger.presented
        tally.unanswered += ledger.unanswered
        tally.unconfirmed += ledger.unconfirmed
        tally.reuses += ledger.reuses
        tally.siblings += ledger.siblings
        tally.violations += ledger.violations

    async def _log_in(self, ledger: Ledger, number: int, outages: bool) -> Browser:
        self._people += 1
        subject = f"user-{self._people}"
        grant = await self.authority.login(subject, client_id="web")
        record = Record(sid=grant.session_id, subject=subject)
        record.keep(grant.refresh_token, grant.access_token, self.clock())
        ledger.records.append(record)
        return Browser(
            ledger.timeline,
            ledger,
            self.desks,
            Random(self.random.random()),
            tabs=TABS[number % len(TABS)],
            grant=grant,
            record=record,
            outages=outages,
        )

    async def _look_back(self, ledger: Ledger) -> None:
        """See that what is over is over for every token, and that nothing else is."""
        entries = (await steadily(self.authority._store.snapshot)).entries
        reasons = {entry.id: (entry.kind, entry.reason) for entry in entries}
        denylist, clock = annul.Denylist(entries), FixedClock(self.clock())
        jwks = await steadily(self.authority.jwks)
        verifier = annul.Verifier(jwks=jwks, policy=POLICY, denylist=denylist, clock=clock)
        for record in ledger.records:
            at = record.tokens[-1][0] if record.ended_at is None else record.ended_at
            clock.set(at)
            fresh = [text for since, text in record.tokens if int(since) + ACCESS_TTL > at]
            said = {outcome(verifier.verify, text) for text in fresh}
            known = reasons.get(record.sid)
            if record.ended_at is None:
                ledger.expect(record, said=said == {ACCEPTED}, log=known is None)
            else:
                replay = (Kind.SESSION, Reason.REFRESH_REUSE)
                ledger.expect(record, said=said <= {"revoked"}, log=known == replay)
                answers = [
                    (await self.random.choice(self.desks).refresh(text)).code
                    for texts in record.handles.values()
                    for text in texts
                ]
                ledger.expect(record, refresh_tokens=set(answers) == {ENDED})
            ledger.expect(record, end=record.refused == (record.ended_at is not None))
        for record in ledger.records[:_LISTED]:
            listed = await steadily(partial(self.authority.sessions, record.subject))
            ledger.expect(record, list=len(listed) == (record.ended_at is None))


async def steadily(verb: Callable[[], Awaitable[T]]) -> T:
    """Return what a verb returns, though the connections that it finds may be dead."""
    for _ in range(_CONNECTIONS):
        with contextlib.suppress(StoreUnavailable):
            return await verb()
    return await verb()


@contextlib.asynccontextmanager
async def open_town(stage: Stage, seed: int) -> AsyncIterator[Town]:
    """Open two authorities on a store, in two processes if the store can be shared by them."""
    clock = clock_of_now()
    async with contextlib.AsyncExitStack() as stack:
        here = await stack.enter_async_context(open_authority(stage.url, stage.kek_file, clock))
        there: Desk
        if stage.kind == "memory":
            second = open_authority(stage.url, stage.kek_file, clock)
            there = LocalDesk(await stack.enter_async_context(second))
        else:
            second_process = open_remote(stage.url, stage.kek_file, clock)
            there = await stack.enter_async_context(second_process)
        yield Town(authority=here, desks=(LocalDesk(here), there), clock=clock, random=Random(seed))
