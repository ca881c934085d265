"""The diaries of a scene put together: tokens, revocations, and who answered what when.

Of acceptances only the last of each token is kept whole, and of all others their two instants:
whoever accepts a token too late the last time is enough, and a scene has millions of them.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from annul.core.revocation import Kind
from tests.faults.diary import Diaries
from tests.faults.settings import ACCEPTED, AUTHORITIES, VERIFIERS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.faults.diary import Line

CAUSES = {
    ACCEPTED,
    "revoked",
    "starting",
    "store_unreachable",
    "store_empty",
    "clock_disagrees",
}
"""What a verifier may say of a token that an authority has signed."""

BY_CLOCK = {"not_yet_valid", "expired"}


@dataclass(frozen=True, kw_only=True)
class Token:
    """An access token; ``began`` and ``ended`` are of the login or refresh that gave it."""

    jti: str
    sid: str
    subject: str
    lasting: bool
    began: float
    ended: float


@dataclass(kw_only=True)
class Fact:
    """A revocation; ``acked`` is when the authority was told that it is durable."""

    kind: Kind
    id: str
    began: float
    acked: float = inf


@dataclass(frozen=True, kw_only=True)
class Loss:
    """The store has lost everything between ``began`` and ``ended``; ``refilled`` is when it was
    seen to have all of it again."""

    began: float
    ended: float
    refilled: float = inf


@dataclass
class Witness:
    """One verifier from its start to its end."""

    name: str
    began: array[float] = field(default_factory=lambda: array("d"))
    """When each of its acceptances began, in order."""
    ended: array[float] = field(default_factory=lambda: array("d"))
    last: dict[str, tuple[float, float]] = field(default_factory=dict)
    """When the last acceptance of each token began and ended."""
    refused: dict[str, float] = field(default_factory=dict)
    """When each token was first said to be revoked."""
    again: list[tuple[str, float]] = field(default_factory=list)
    """Tokens that were accepted after they had been said to be revoked."""
    strange: list[tuple[str, float]] = field(default_factory=list)
    """Other answers than may be given, and when."""
    by_clock: list[tuple[str, float]] = field(default_factory=list)
    """Answers that may be given only if some clock was wrong."""
    causes: list[tuple[str, float]] = field(default_factory=list)
    """From when on it gave a cause for refusing everything, whenever that changed."""
    alarms: list[float] = field(default_factory=list)
    held: list[tuple[float, float]] = field(default_factory=list)
    """From when until when the machine did not let it run although it wanted to."""
    leaps: list[tuple[float, float]] = field(default_factory=list)
    audits: list[tuple[float, int]] = field(default_factory=list)
    asked: array[float] = field(default_factory=lambda: array("d"))
    """When each answer began that was written down, of whatever kind."""

    def take(self, line: Line) -> None:
        match line["what"]:
            case "answer":
                self._answer(line["jti"], line["outcome"], line["began"], line["ended"])
            case "alarm":
                self.alarms.append(line["at"])
            case "held":
                self.held.append((line["at"] - line["seconds"], line["at"]))
            case "leapt":
                self.leaps.append((line["at"], line["by"]))
            case "audited":
                self.audits.append((line["at"], line["tokens"]))

    def _answer(self, jti: str, outcome: str, began: float, ended: float) -> None:
        self.asked.append(began)
        if outcome == ACCEPTED:
            self.began.append(began)
            self.ended.append(ended)
            self.last[jti] = began, ended
            if jti in self.refused:
                self.again.append((jti, began))
            if not self.accepts:
                self.causes.append((ACCEPTED, ended))
        elif outcome == "revoked":
            self.refused.setdefault(jti, ended)
        elif outcome in BY_CLOCK:
            self.by_clock.append((outcome, began))
        elif outcome not in CAUSES:
            self.strange.append((outcome, began))
        elif not self.causes or self.causes[-1][0] != outcome:
            self.causes.append((outcome, ended))

    @property
    def accepts(self) -> bool:
        """Whether the last thing it said of a good token is that it accepts it."""
        return bool(self.causes) and self.causes[-1][0] == ACCEPTED

    def accepted_after(self, moment: float) -> float:
        """Return when the first acceptance ended that began after a moment, or infinity."""
        place = bisect_left(self.began, moment)
        return self.ended[place] if place < len(self.began) else inf

    def accepted_between(self, begin: float, end: float) -> float | None:
        """Return when an acceptance began between two moments, if there was one."""
        place = bisect_left(self.began, begin)
        found = self.began[place] if place < len(self.began) else inf
        return found if found < end else None

    def noticed_after(self, moment: float) -> float:
        """Return when it first told anybody after a moment that the store has lost something."""
        empty = (at for cause, at in self.causes if cause == "store_empty")
        return min((at for at in (*self.alarms, *empty) if at > moment), default=inf)

    def held_between(self, begin: float, end: float) -> float:
        """Return for how long the machine held it up between two moments, in seconds."""
        return sum(max(0.0, min(until, end) - max(since, begin)) for since, until in self.held)


class History:
    """Everything that has been written down so far."""

    def __init__(self, folder: Path) -> None:
        # The answers first: a revocation is written down before the answers that it forbids.
        self._verifiers = Diaries(folder, VERIFIERS)
        self._authorities = Diaries(folder, AUTHORITIES)
        self.witnesses: dict[str, Witness] = {}
        self.tokens: dict[str, Token] = {}
        self.facts: dict[str, Fact] = {}
        self.losses: list[Loss] = []
        self.ready: set[str] = set()
        self.quiet: dict[str, float] = {}
        self.leapt = False
        self.acked: list[float] = []

    def read(self) -> None:
        """Read what has been written since."""
        for name, line in self._verifiers.news():
            if line["what"] == "ready":
                self.ready.add(name)
            self.witnesses.setdefault(name, Witness(name)).take(line)
        for name, line in self._authorities.news():
            self._take(name, line)

    def _take(self, name: str, line: Line) -> None:
        match line.pop("what"):
            case "ready":
                self.ready.add(name)
            case "leapt":
                self.leapt = True
            case "quiet":
                self.quiet[name] = line["at"]
            case "token":
                del line["text"]
                self.tokens[line["jti"]] = Token(**line)
            case "revoking":
                self.facts[line["fact"]] = Fact(
                    kind=Kind(line["kind"]), id=line["id"], began=line["began"]
                )
            case "revoked":
                self.facts[line["fact"]].acked = line["ended"]
                self.acked.append(line["ended"])

    @property
    def acknowledged(self) -> int:
        """How many revocations have been acknowledged."""
        return len(self.acked)

    @property
    def latest(self) -> float:
        """When the latest of them was, or minus infinity."""
        return max(self.acked, default=-inf)
