"""Logins and refreshes: sessions begin, rotate, are listed and found by what they handed out."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

from annul.authority.grants import Grant, info_of
from annul.authority.session_events import login_of, login_refused, refresh_of
from annul.core import handle
from annul.core.binding import thumbprint
from annul.core.cookie_binding import bound_claims, confirmed_claims, new_bound_cookie
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
    from annul.authority.grants import ClaimsSource, SessionInfo
    from annul.authority.rotation import Rotation
    from annul.authority.settings import Settings
    from annul.authority.witness import Witness
    from annul.core.revocation import Position
    from annul.stores.base import Store

__all__ = ["Sessions"]

log = logging.getLogger("annul.authority")

_SID_BYTES = 16
_TAG_BYTES = 16
_MAX_LABEL = 200


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
        *,
        on_replay: Callable[[Session], Awaitable[None]],
        witness: Witness,
    ) -> None:
        self._store = store
        self._settings = settings
        self._rotation = rotation
        self._replica = replica
        self._on_replay = on_replay
        self._witness = witness

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
        bound_cookie: bool = False,
        x5t: str | None = None,
        address: str | None = None,
    ) -> Grant:
        """Begin a session; see ``AsyncAuthority.login``."""
        settings = self._settings
        check_names(subject, client_id)
        now = self._now()
        key_id, _secret = self._rotation.ring.secret(Purpose.HANDLE, now)
        family = handle.new_family(settings.entropy)
        cookie = new_bound_cookie(settings.entropy) if bound_cookie else None
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
            claims=bound_claims(check_claims(claims), cookie=cookie, x5t=x5t),
            device=_label(device),
            auth_time=_auth_time(auth_time, now),
            jkt=None if jkt is None else thumbprint(jkt),
            handle_key=key_id,
        )
        outcome = await self._store.begin(session, floor=self._replica.highest)
        if isinstance(outcome, Covered):
            error = _why_covered(outcome)
            await self._witness.record(
                login_refused(session, at=now, address=address, code=error.code)
            )
            raise error
        await self._witness.record(login_of(session, at=now, address=address))
        return replace(self._grant(outcome.session, family), cookie=cookie)

    async def refresh(
        self,
        token: str,
        *,
        client_id: str | None,
        jkt: str | None,
        claims: ClaimsSource | None = None,
        address: str | None = None,
    ) -> Grant:
        """Present a refresh token; see ``AsyncAuthority.refresh``."""
        settings = self._settings
        now = self._now()
        ring = self._rotation.ring
        parts = handle.read(token, self._find_handle_key)
        key_id, _secret = ring.secret(Purpose.HANDLE, now)
        as_of, renewed = None, None
        if claims is not None:
            as_of, renewed = await self._renew_claims(parts.digest, claims)
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
            jkt=None if jkt is None else thumbprint(jkt),
            handle_key=key_id,
            now=now,
            grace=settings.grace,
            replay_tag=settings.entropy(_TAG_BYTES),
            replay_expires_at=remember or 0,
            floor=self._replica.highest,
            claims=renewed,
            as_of=as_of,
        )
        if isinstance(outcome, Replayed) and outcome.revocation is not None:
            self._replica.observe([outcome.revocation])
        await self._witness.record(*refresh_of(outcome, at=now, address=address))
        match outcome:
            case Rotated(session, store_lost_data):
                if store_lost_data:
                    log.error("a refresh token is ahead of the store: the store has lost data")
                return self._grant(session, parts.family)
            case Retried(session):
                log.info("refresh retried for session %s", session.sid)
                return self._grant(session, parts.family)
            case Replayed(session):
                log.warning("refresh token replayed; session %s was ended", session.sid)
                await self._on_replay(session)
                raise RefreshReplayed("this refresh token was used before; log in again")
            case Ended():
                raise SessionEnded("this session is over; log in again")
            case Unknown():
                raise InvalidGrant("this is not a refresh token of ours")

    async def _renew_claims(
        self, family: bytes, source: ClaimsSource
    ) -> tuple[Position | None, Mapping[str, Any] | None]:
        # The place in the log before the claims are put together: what makes them out of date
        # while that is being done comes after it.
        head = (await self._store.page(self._replica.highest, 1)).watermark.position
        session = await self._store.family(family)
        if session is None:
            return None, None  # it is refused in a moment
        if iscoroutinefunction(source):
            claims = await source(info_of(session))
        else:
            # It may ask a database, and nobody else has to wait for that.
            claims = await asyncio.to_thread(source, info_of(session))
        # What the session is bound to stands among its claims, and stays.
        bound = {"cnf": session.claims["cnf"]} if "cnf" in session.claims else {}
        return head, check_claims(claims) | bound

    async def list(self, subject: str, current: str | None = None) -> tuple[SessionInfo, ...]:
        """Return the live sessions of a subject, oldest first; mark the one with this id."""
        found = await self._store.sessions(identifier(subject, "subject"), self._now())
        return tuple(info_of(session, current) for session in found)

    async def session_of(self, refresh_token: str) -> Session:
        """Return the session that a genuine refresh token belongs to, alive or not."""
        parts = handle.read(refresh_token, self._find_handle_key)
        session = await self._store.family(parts.digest)
        if session is None:
            raise InvalidGrant("this is not a refresh token of ours")
        return session

    def _grant(self, session: Session, family: str) -> Grant:
        secret = self._find_handle_key(session.handle_key)
        if secret is None:
            raise StoreUnavailable("the refresh token's key is not here yet; try again")
        claims, jkt = confirmed_claims(session.claims, session.jkt)
        # No token outlives its session: the limits end it whether anybody refreshes or not.
        lifetime = min(self._settings.access_ttl, int(session.ends_at - self._now()))
        issued = self._rotation.issuer().issue(
            subject=session.subject,
            client_id=session.client_id,
            since=session.since,
            sid=session.sid,
            scope=session.scope,
            claims=claims,
            jkt=jkt,
            as_of=session.as_of,
            auth_time=session.auth_time,
            ttl=lifetime,
        )
        return Grant(
            access_token=issued.text,
            refresh_token=handle.mint(session.handle_key, secret, family, session.generation),
            expires_in=lifetime,
            session_id=session.sid,
            scope=session.scope,
            token_type="Bearer" if session.jkt is None else "DPoP",
            jti=issued.jti,
        )


def check_names(subject: object, client_id: object) -> None:
    """Raise ``InvalidRequest`` unless a session can be begun for these two."""
    if identifier(subject, "subject") == identifier(client_id, "client_id"):
        raise InvalidRequest("subject and client_id must differ: equal ones mean the client")


def _why_covered(outcome: Covered) -> SubjectBlocked | SessionEnded:
    if outcome.revocation.kind is Kind.BLOCK:
        return SubjectBlocked("this account is blocked; unblock it first")
    return SessionEnded("this authentication is older than a revocation; authenticate again")


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
