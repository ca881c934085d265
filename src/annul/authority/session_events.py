"""What happens to sessions, as events."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from annul.core.events import Login, LoginRefused, Refresh, RefreshRefused, Retry, Reuse, StoreLost
from annul.core.session import Ended, Replayed, Retried, Rotated
from annul.errors import SessionEnded

if TYPE_CHECKING:
    from annul.core.events import Event
    from annul.core.session import RotateOutcome, Session

__all__ = ["login_of", "login_refused", "refresh_of"]


class _About(TypedDict):
    """What every event says of a session."""

    at: float
    address: str | None
    subject: str
    client_id: str
    session_id: str
    device: str | None


def _about(session: Session, at: float, address: str | None) -> _About:
    return {
        "at": at,
        "address": address,
        "subject": session.subject,
        "client_id": session.client_id,
        "session_id": session.sid,
        "device": session.device,
    }


def login_of(session: Session, *, at: float, address: str | None) -> Login:
    """Return the event of a session that has begun."""
    return Login(**_about(session, at, address))


def login_refused(session: Session, *, at: float, address: str | None, code: str) -> LoginRefused:
    """Return the event of a session that could not begin."""
    return LoginRefused(
        at=at,
        subject=session.subject,
        client_id=session.client_id,
        code=code,
        device=session.device,
        address=address,
    )


def refresh_of(outcome: RotateOutcome, *, at: float, address: str | None) -> tuple[Event, ...]:
    """Return the events of a refresh token that was presented; none if it is not of ours."""
    match outcome:
        case Rotated(session, store_lost_data):
            refresh = Refresh(**_about(session, at, address))
            if not store_lost_data:
                return (refresh,)
            return StoreLost(at=at, what="a refresh token is ahead of the store"), refresh
        case Retried(session):
            return (Retry(**_about(session, at, address), rotated_at=session.rotated_at),)
        case Replayed(session):
            return (Reuse(**_about(session, at, address), rotated_at=session.rotated_at),)
        case Ended(session):
            return (RefreshRefused(**_about(session, at, address), code=SessionEnded.code),)
        case _:
            return ()
