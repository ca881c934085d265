"""What a store must answer, worked out the slow way: a list that nothing is ever taken from."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from annul.core.revocation import Kind
from annul.core.session import Ended, Replayed, Retried, Rotated, Unknown

GRACE = 10.0


@dataclass
class Life:
    """One session as the model remembers it. ``born`` counts the entries there were before it."""

    sid: str
    family: bytes
    subject: str
    client: str
    jkt: str | None
    ends_at: float
    idle: float
    born: int
    last_seen: float
    generation: int = 0
    rotated_at: float = -inf

    def over(self, now: float) -> bool:
        return now >= self.ends_at or now >= self.last_seen + self.idle


class Model:
    """The log as ``(kind, value)``, who is blocked, and every session there ever was."""

    def __init__(self) -> None:
        self.log: list[tuple[Kind, str]] = []
        self.blocked: set[str] = set()
        self.lives: list[Life] = []
        self.pruned_at = -inf

    def append(self, kind: Kind, value: str) -> None:
        self.log.append((kind, value))
        if kind is Kind.BLOCK:
            self.blocked.add(value)
        elif kind is Kind.UNBLOCK:
            self.blocked.discard(value)

    def covered(self, life: Life) -> bool:
        later = self.log[life.born :]
        return (
            life.subject in self.blocked
            or (Kind.SESSION, life.sid) in self.log
            or (Kind.SUBJECT, life.subject) in later
            or (Kind.CLIENT, life.client) in later
            or (Kind.ISSUER, "") in later
        )

    def kept(self, life: Life) -> bool:
        return life.ends_at > self.pruned_at

    def alive(self, life: Life, now: float) -> bool:
        return self.kept(life) and not life.over(now) and not self.covered(life)

    def present(
        self, life: Life, generation: int, *, client: str | None, jkt: str | None, now: float
    ) -> type:
        """Return what becomes of a presented refresh token, and remember it."""
        if not self.kept(life) or client not in {None, life.client}:
            return Unknown
        if life.jkt is not None and jkt != life.jkt:
            return Unknown
        if life.over(now) or self.covered(life):
            return Ended
        if generation >= life.generation:
            life.generation, life.rotated_at, life.last_seen = generation + 1, now, now
            return Rotated
        if generation == life.generation - 1 and (life.jkt or now - life.rotated_at <= GRACE):
            return Retried
        self.append(Kind.SESSION, life.sid)
        return Replayed
