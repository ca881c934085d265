"""Logins and refreshes: sessions begin, rotate, are listed and found by what they handed out."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from annul.core import handle
from annul.core.encoding import b64url_encode
from annul.core.issuer import check_claims, check_scope
from annul.core.keyring import Purpose
from annul.core.revocation import Kind, identifier, remember_until
from annul.core.session import Ended, Replayed, Retried, Rotated, Session, Unknown
from annul.errors import (
    InvalidGrant,
    InvalidRequest,
    RefreshReplayed,
    SessionEnded,
    StoreUnavailable,
    SubjectBlocked,
)
from annul.stores.base import Covered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from annul.authority.beside import Beside
    from annul.authority.rotation import Rotation
    from annul.authority.settings import Settings
    from annul.stores.base import Store

__all__ = ["Grant", "SessionInfo", "Sessions"]

log = logging.getLogger("annul.authority")

_SID_BYTES = 16
_TAG_BYTES = 16
_MAX_LABEL = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a client gets for a login or a refresh (RFC 6749 §5.1).

    ``expires_in`` is the lifetime of the access token in seconds. The tokens do not appear in its
    ``repr``, so a grant may be logged by mistake.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_in: int
    session_id: str
    scope: str = ""
    token_type: str = "Bearer"  # noqa: S105 - a scheme, not a token
    jti: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInfo:
    """A live session as its user may see it. Times are Unix seconds."""

    session_id: str
    subject: str
    client_id: str
    device: str | None
    scope: str
    created_at: float
    last_seen: float
    expires_at: float


class Sessions:
    """Begins and rotates sessions.

    Sessions live by store time, which is the same for every authority. ``on_replay`` is called with
    the session that a replay has ended.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        rotation: Rotation,
        replica: Beside,
        on_replay: Callable[[Session], Awaitable[None]],
    ) -> None:
        self._store = store
        self._settings = settings
        self._rotation = rotation
        self._replica = replica
        self._on_replay = on_replay

    def _now(self) -> float:
        return self._rotation.now()

    def _find_handle_key(self, kid: str) -> bytes | None:
        return self._rotation.ring.find_secret(Purpose.HANDLE, kid)

    async def login(
        self,
        subject: str,
        *,
        client_id: str,
        scope: str,
        claims: Mapping[str, Any] | None,
        device: str | None,
        auth_time: float | None,
        jkt: str | None,
    ) -> Grant:
        """Begin a session; see ``AsyncAuthority.login``."""
        settings = self._settings
        check_names(subject, client_id)
        now = self._now()
        key_id, _secret = self._rotation.ring.secret(Purpose.HANDLE, now)
        family = handle.new_family(settings.entropy)
        session = Session(
            sid=b64url_encode(settings.entropy(_SID_BYTES)),
            family=handle.family_digest(family),
            subject=subject,
            client_id=client_id,
            created_at=now,
            last_seen=now,
            idle_ttl=settings.idle_ttl,
            ends_at=now + settings.session_ttl,
            scope=check_scope(scope),
            claims=check_claims(claims),
            device=_label(device),
            auth_time=_auth_time(auth_time, now),
            jkt=None if jkt is None else identifier(jkt, "jkt"),
            handle_key=key_id,
        )
        outcome = await self._store.begin(session, floor=self._replica.highest)
        if isinstance(outcome, Covered):
            if outcome.revocation.kind is Kind.BLOCK:
                raise SubjectBlocked("this account is blocked; unblock it first")
            raise SessionEnded("this authentication is older than a revocation; authenticate again")
        return self._grant(outcome.session, family)

    async def refresh(self, token: str, *, client_id: str | None, jkt: str | None) -> Grant:
        """Present a refresh token; see ``AsyncAuthority.refresh``."""
        settings = self._settings
        now = self._now()
        ring = self._rotation.ring
        parts = handle.read(token, self._find_handle_key)
        key_id, _secret = ring.secret(Purpose.HANDLE, now)
        remember = remember_until(
            # The store adds the lifetimes: it knows the longest.
            Kind.SESSION,
            now=now,
            token_exp=None,
            longest_token=0,
            longest_session=0,
        )
        outcome = await self._store.rotate(
            parts.digest,
            parts.generation,
            client_id=client_id,
            jkt=jkt,
            handle_key=key_id,
            now=now,
            grace=settings.grace,
            replay_tag=settings.entropy(_TAG_BYTES),
            replay_expires_at=remember or 0,
            floor=self._replica.highest,
        )
        match outcome:
            case Rotated(session, store_lost_data):
                if store_lost_data:
                    log.error("a refresh token is ahead of the store: the store has lost data")
                return self._grant(session, parts.family)
            case Retried(session):
                log.info("refresh retried for session %s", session.sid)
                return self._grant(session, parts.family)
            case Replayed(session, revocation):
                log.warning("refresh token replayed; session %s was ended", session.sid)
                if revocation is not None:
                    self._replica.observe([revocation])
                await self._on_replay(session)
                raise RefreshReplayed("this refresh token was used before; log in again")
            case Ended():
                raise SessionEnded("this session is over; log in again")
            case Unknown():
                raise InvalidGrant("this is not a refresh token of ours")

    async def list(self, subject: str) -> tuple[SessionInfo, ...]:
        """Return the live sessions of a subject, oldest first."""
        found = await self._store.sessions(identifier(subject, "subject"), self._now())
        return tuple(
            SessionInfo(
                session_id=session.sid,
                subject=session.subject,
                client_id=session.client_id,
                device=session.device,
                scope=session.scope,
                created_at=session.created_at,
                last_seen=session.last_seen,
                expires_at=min(session.ends_at, session.last_seen + session.idle_ttl),
            )
            for session in found
        )

    async def sid_of(self, refresh_token: str) -> str:
        """Return the id of the session that a genuine refresh token belongs to, alive or not."""
        parts = handle.read(refresh_token, self._find_handle_key)
        session = await self._store.family(parts.digest)
        if session is None:
            raise InvalidGrant("this is not a refresh token of ours")
        return session.sid

    def _grant(self, session: Session, family: str) -> Grant:
        secret = self._find_handle_key(session.handle_key)
        if secret is None:
            raise StoreUnavailable("the refresh token's key is not here yet; try again")
        issued = self._rotation.issuer().issue(
            subject=session.subject,
            client_id=session.client_id,
            since=session.since,
            sid=session.sid,
            scope=session.scope,
            claims=session.claims,
            jkt=session.jkt,
            auth_time=session.auth_time,
        )
        return Grant(
            access_token=issued.text,
            refresh_token=handle.mint(session.handle_key, secret, family, session.generation),
            expires_in=self._settings.access_ttl,
            session_id=session.sid,
            scope=session.scope,
            token_type="Bearer" if session.jkt is None else "DPoP",
            jti=issued.jti,
        )


def check_names(subject: object, client_id: object) -> None:
    """Raise ``InvalidRequest`` unless a session can be begun for these two."""
    if identifier(subject, "subject") == identifier(client_id, "client_id"):
        raise InvalidRequest("subject and client_id must differ: equal ones mean the client")


def _label(device: object) -> str | None:
    if device is None:
        return None
    label = identifier(device, "device")
    if len(label) > _MAX_LABEL:
        raise InvalidRequest(f"device is a label of at most {_MAX_LABEL} characters")
    return label


def _auth_time(value: object, now: float) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= now + 60:
        raise InvalidRequest("auth_time must be a Unix time in seconds, not in the future")
    return float(value)
