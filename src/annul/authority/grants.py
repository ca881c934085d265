"""What logins hand out, and what users may see of their sessions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from annul.core.session import Session

__all__ = ["ClaimsSource", "Grant", "SessionInfo", "info_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a client gets for a login or a refresh (RFC 6749 §5.1).

    ``expires_in`` is the lifetime of the access token in seconds. ``cookie`` is set by a login with
    ``bound_cookie`` and never again. The tokens and the cookie do not appear in its ``repr``, so a
    grant may be logged by mistake.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    session_id: str
    scope: str = ""
    token_type: str = "Bearer"  # noqa: S105 - a scheme, not a token
    jti: str = ""
    cookie: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """A live session as its user may see it. Times are Unix seconds.

    ``auth_time`` is when its user last proved who they are, as far as the application has said
    so, and ``acr`` and ``amr`` are how, from the claims of these names (RFC 9068 §2.2.1).
    ``current`` is set for the session that ``sessions`` was told to mark.
    """

    session_id: str
    subject: str
    client_id: str
    device: str | None
    scope: str
    created_at: float
    last_seen: float
    expires_at: float
    auth_time: float | None = None
    acr: str | None = None
    amr: tuple[str, ...] = ()
    current: bool = False


ClaimsSource = Callable[[SessionInfo], "Mapping[str, Any] | Awaitable[Mapping[str, Any]]"]
"""Puts together the claims that a session carries from now on."""


def info_of(session: Session, current: str | None = None) -> SessionInfo:
    """Return what its user may see of a session; ``current`` is the id of the one to mark."""
    acr, amr = session.claims.get("acr"), session.claims.get("amr")
    return SessionInfo(
        session_id=session.sid,
        subject=session.subject,
        client_id=session.client_id,
        device=session.device,
        scope=session.scope,
        created_at=session.created_at,
        last_seen=session.last_seen,
        expires_at=min(session.ends_at, session.last_seen + session.idle_ttl),
        auth_time=session.auth_time,
        acr=acr if isinstance(acr, str) else None,
        amr=tuple(filter(lambda way: isinstance(way, str), amr)) if isinstance(amr, list) else (),
        current=session.sid == current,
    )
