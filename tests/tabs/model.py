"""What an authority must answer, worked out from a list that nothing is ever taken from."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from annul.core.revocation import Kind

GRACE = 10.0
IDLE = 400
LONGEST = 1000
ACCESS = 60

ACCEPTED, REVOKED, STALE, EXPIRED = "accepted", "revoked", "refresh_needed", "expired"
ROTATED, RETRIED, REPLAYED, OVER = "rotated", "retried", "refresh_replayed", "session_ended"


@dataclass
class Life:
    """One session. ``born`` and ``as_of`` count the entries that there were before."""

    sid: str
    subject: str
    client: str
    born: int
    as_of: int
    last_seen: float
    ends_at: float
    handles: list[str]
    rotated_at: float = -inf
    confirmed: bool = True

    @property
    def generation(self) -> int:
        return len(self.handles) - 1


@dataclass(frozen=True)
class Token:
    """One access token, of the claims of its generation."""

    text: str
    jti: str
    life: Life
    as_of: int
    expires_at: int


@dataclass
class Model:
    """The log as ``(kind, id)``, every session there ever was, and every access token."""

    log: list[tuple[Kind, str]] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    tokens: list[Token] = field(default_factory=list)

    def blocked(self, subject: str) -> bool:
        about = [kind for kind, value in self.log if value == subject]
        blocks = [kind for kind in about if kind in {Kind.BLOCK, Kind.UNBLOCK}]
        return bool(blocks) and blocks[-1] is Kind.BLOCK

    def alive(self, life: Life, now: float) -> bool:
        later = self.log[life.born :]
        return not (
            now >= life.ends_at
            or now >= life.last_seen + IDLE
            or self.blocked(life.subject)
            or self.covered(life, later)
        )

    def covered(self, life: Life, later: list[tuple[Kind, str]]) -> bool:
        return any(
            entry in later
            for entry in (
                (Kind.SESSION, life.sid),
                (Kind.SUBJECT, life.subject),
                (Kind.CLIENT, life.client),
                (Kind.ISSUER, ""),
            )
        )

    def present(self, life: Life, generation: int, now: float) -> str:
        """Return what becomes of a refresh token, and remember it."""
        if not self.alive(life, now):
            return OVER
        if generation == life.generation:
            life.rotated_at, life.last_seen = now, now
            life.confirmed, life.as_of = True, len(self.log)
            return ROTATED
        if generation == life.generation - 1 and (
            not life.confirmed or now - life.rotated_at <= GRACE
        ):
            return RETRIED
        self.log.append((Kind.SESSION, life.sid))
        return REPLAYED

    def judge(self, token: Token, now: float) -> str:
        """Return what a verifier that has read everything says about an access token."""
        life = token.life
        if now >= token.expires_at:
            return EXPIRED
        if (
            (Kind.TOKEN, token.jti) in self.log
            or self.blocked(life.subject)
            or self.covered(life, self.log[life.born :])
        ):
            return REVOKED
        if (Kind.CLAIMS, life.subject) in self.log[token.as_of :]:
            return STALE
        return ACCEPTED
