"""A session and its refresh family: one login on one device.

Whether a session is alive is computed, never stored: it is dead when a revocation covers it or
one of its limits has passed. What a presented refresh token does is one table::

    presented generation      inside the grace window    outside it
    ----------------------    -----------------------    -----------------------
    the current one           Rotated                    Rotated
    the one before            Retried                    Replayed (Retried if the
                                                         session is bound to a key, or
                                                         the rotation is unconfirmed)
    anything older            Replayed                   Replayed
    one ahead of the store    Rotated: the store lost data, the maximum is taken

The window starts at the rotation and no retry extends it, so one stolen token cannot be kept
alive by replaying it. ``decide`` is that table; every store applies it inside one transaction.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from annul.core.denylist import Facts
from annul.core.revocation import Fingerprinter, Kind, Position, Revocation

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Ended",
    "Replayed",
    "Retried",
    "RotateOutcome",
    "Rotated",
    "Session",
    "Unknown",
    "decide",
]


BEGINNING = Position(0, 0)
"""Before every position in any log: a session that has not begun yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One login on one device, as the store keeps it.

    Times are Unix seconds. ``since`` is the head of the log when the session began, and ``as_of``
    where it was when the claims of this generation were put together. ``family`` is
    the SHA-256 of the refresh family, which itself appears only inside refresh tokens.
    ``handle_key`` is the key under which the current ``generation`` was minted, so that the same
    successor can be computed again. ``auth_time`` is set only if the caller supplied it.
    """

    sid: str
    family: bytes = field(repr=False)
    subject: str
    client_id: str
    since: Position = BEGINNING
    as_of: Position = BEGINNING
    created_at: float
    last_seen: float
    idle_ttl: float
    ends_at: float
    scope: str = ""
    claims: Mapping[str, Any] = field(default_factory=dict, repr=False)
    device: str | None = None
    auth_time: float | None = None
    jkt: str | None = None
    generation: int = 0
    handle_key: str
    rotated_at: float | None = None
    confirmed: bool = True

    def facts(self, fingerprint: Fingerprinter) -> Facts:
        """Return what a denylist needs to know to say whether the session is alive."""
        return Facts(
            token=None,
            session=fingerprint(Kind.SESSION, self.sid),
            subject=fingerprint(Kind.SUBJECT, self.subject),
            client=fingerprint(Kind.CLIENT, self.client_id),
            issuer=fingerprint(Kind.ISSUER, ""),
            key=None,
            since=self.since,
            began_at=self.auth_time,
        )

    def within_limits(self, now: float) -> bool:
        """Whether neither the idle nor the absolute limit has passed."""
        return now < self.ends_at and now < self.last_seen + self.idle_ttl


@dataclass(frozen=True, slots=True)
class Rotated:
    """The generation advanced; ``session`` holds the new one.

    ``store_lost_data`` is set if the handle was ahead of the store, which proves a loss.
    """

    session: Session
    store_lost_data: bool = False


@dataclass(frozen=True, slots=True)
class Retried:
    """The immediate predecessor again: hand out the same successor as before."""

    session: Session


@dataclass(frozen=True, slots=True)
class Replayed:
    """A used-up token: the session was revoked in the same transaction."""

    session: Session
    revocation: Revocation | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The session is over: covered by ``revocation``, or past a limit if that is ``None``."""

    session: Session
    revocation: Revocation | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """No such family, or not this client's, or not this key's."""


RotateOutcome = Rotated | Retried | Replayed | Ended | Unknown


def decide(
    session: Session,
    presented: int,
    *,
    covered_by: Revocation | None,
    client_id: str | None,
    jkt: str | None,
    handle_key: str,
    now: float,
    grace: float,
    as_of: Position,
    claims: Mapping[str, Any] | None = None,
) -> RotateOutcome:
    """Say what presenting generation ``presented`` of this session does. Pure.

    ``covered_by`` is the revocation that ends the session, if one does. ``client_id`` is who asks,
    ``None`` if the caller does not authenticate clients; ``jkt`` is the key it has proven.
    ``handle_key`` is the key under which a successor would be minted now. ``grace`` is in seconds.
    ``as_of`` is the place in the log at which the claims hold that a successor would carry: those
    of the session, or ``claims`` in their stead.
    """
    if client_id is not None and client_id != session.client_id:
        return Unknown()
    if session.jkt is not None and session.jkt != jkt:
        return Unknown()
    if covered_by is not None or not session.within_limits(now):
        return Ended(session, covered_by)
    if presented >= session.generation:
        successor = replace(
            session,
            generation=presented + 1,
            handle_key=handle_key,
            rotated_at=now,
            last_seen=max(now, session.last_seen),
            as_of=as_of,
            # Whoever cannot say so at once clears it.
            confirmed=True,
            claims=session.claims if claims is None else claims,
        )
        return Rotated(successor, store_lost_data=presented > session.generation)
    if presented == session.generation - 1 and _retry_allowed(session, now, grace):
        return Retried(session)
    return Replayed(session)


def _retry_allowed(session: Session, now: float, grace: float) -> bool:
    # A bound session proves its holder by the key; an unconfirmed rotation may never have
    # reached anybody, and an outage must not turn users into thieves.
    if session.jkt is not None or not session.confirmed or session.rotated_at is None:
        return True
    return now - session.rotated_at <= grace
