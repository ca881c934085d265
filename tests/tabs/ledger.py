"""What was presented and what came of it, judged without knowing how the store decides.

Simulated time stands still during a call, so a generation was rotated at the time at which it was
first presented with success. What is old, and what is late, follows from that alone.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from annul.errors import StoreUnavailable
from tests.tabs.desk import GRACE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from annul.core.session import Session
    from tests.tabs.desk import Answer, Desk
    from tests.tabs.timeline import Timeline

REPLAYED, ENDED, UNANSWERED = "refresh_replayed", "session_ended", "store_unavailable"


@dataclass(kw_only=True)
class Record:
    """Everything about one session: ``handles`` by generation, and access tokens with their time.

    ``begun`` and ``rotated`` say when a generation was presented first at all, and with success.
    """

    sid: str
    subject: str
    handles: defaultdict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    tokens: list[tuple[float, str]] = field(default_factory=list)
    begun: dict[int, float] = field(default_factory=dict)
    rotated: dict[int, float] = field(default_factory=dict)
    ended_at: float | None = None
    refused: bool = False

    def keep(self, refresh: str, access: str, now: float) -> None:
        self.handles[generation_of(refresh)].add(refresh)
        self.tokens.append((now, access))


@dataclass
class Ledger:
    """All sessions of a town, and what must not have happened.

    ``look_up`` asks the store about a session. ``unconfirmed`` counts the calls that were not
    answered although the store had already rotated.
    """

    timeline: Timeline
    look_up: Callable[[str], Awaitable[Session | None]]
    records: list[Record] = field(default_factory=list)
    presented: int = 0
    unanswered: int = 0
    unconfirmed: int = 0
    reuses: int = 0
    undetected: int = 0
    violations: list[str] = field(default_factory=list)

    @property
    def siblings(self) -> int:
        """How many generations have more than one refresh token."""
        return sum(len(texts) > 1 for each in self.records for texts in each.handles.values())

    async def present(self, record: Record, desk: Desk, token: str) -> Answer:
        """Present a refresh token, and judge the answer."""
        generation, now = generation_of(token), self.timeline.now
        over = record.ended_at is not None
        must = is_reuse(record.rotated, generation, now)
        record.begun.setdefault(generation, now)
        self.presented += 1

        answer = await desk.refresh(token)

        assert self.timeline.now == now, "time passed during a call"
        if answer.code == UNANSWERED:
            self.unanswered += 1
            await self._see_whether_it_happened(record, generation)
            return answer
        self.reuses += must and not over
        if not answer.code:
            record.rotated.setdefault(generation, now)
            record.keep(answer.refresh, answer.access, now)
            if generation_of(answer.refresh) != generation + 1:
                self._found(record, f"generation {generation} is not followed by the next one")
            if over:
                self._found(record, "a session that is over was refreshed")
            elif must:
                self.undetected += 1
                self._found(record, f"generation {generation} was accepted again")
            return answer
        record.refused = True
        if answer.code == REPLAYED:
            record.ended_at = now if record.ended_at is None else record.ended_at
            if not is_reuse(record.begun, generation, now):
                self._found(record, f"generation {generation} was taken for a replay")
        elif answer.code != ENDED:
            self._found(record, f"a refresh token of ours was refused: {answer.code}")
        return answer

    def expect(self, record: Record, **facts: bool) -> None:
        """Take note of what is not as it has to be in the end."""
        for name, right in facts.items():
            if not right:
                self._found(record, f"{name.replace('_', ' ')} wrong in the end")

    async def _see_whether_it_happened(self, record: Record, generation: int) -> None:
        with suppress(StoreUnavailable):
            session = await self.look_up(record.sid)
            assert session is not None
            self.unconfirmed += session.generation > generation

    def _found(self, record: Record, what: str) -> None:
        self.violations.append(f"session {record.sid}: {what}")


def is_reuse(shown: Mapping[int, float], generation: int, now: float) -> bool:
    """Whether a generation is used up: the next one was shown, or it was too long ago itself."""
    return generation + 1 in shown or now - shown.get(generation, now) > GRACE


def generation_of(token: str) -> int:
    """Return what a refresh token says of itself."""
    return int(token.split(".")[3])
