"""The authority's verbs for sessions: log in, refresh, restart, list, log out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from annul.authority.sessions import check_names
from annul.authority.witness import address_of
from annul.core.events import LoginRefused, Logout
from annul.core.handle import looks_like_handle
from annul.core.revocation import Kind, RevocationReceipt, identifier
from annul.errors import LoginThrottled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from annul.authority.grants import ClaimsSource, Grant, SessionInfo
    from annul.authority.revocation import Revocations
    from annul.authority.sessions import Sessions
    from annul.authority.settings import Settings
    from annul.authority.witness import Witness
    from annul.replica import Replica

__all__ = ["SessionVerbs"]


class SessionVerbs:
    """The part of ``AsyncAuthority`` that is about sessions."""

    _replica: Replica
    _revocations: Revocations
    _sessions: Sessions
    _settings: Settings
    _witness: Witness

    if TYPE_CHECKING:  # of the whole

        async def _catch_up(self) -> None: ...
        async def _tidy(self) -> None: ...

    async def login(
        self,
        subject: str,
        *,
        client_id: str,
        scope: str = "",
        claims: Mapping[str, Any] | None = None,
        device: str | None = None,
        auth_time: float | None = None,
        jkt: str | None = None,
        bound_cookie: bool = False,
        x5t: str | None = None,
        address: str | None = None,
    ) -> Grant:
        """Begin a session for a user whom the application has authenticated; return its tokens.

        ``subject`` becomes ``sub`` and must be ``str``. ``scope`` is space-separated. ``claims``
        are the application's own and come back in every access token of the session. ``device``
        is a label for the session list. ``auth_time`` (Unix seconds) says that the user
        authenticated earlier: a revocation since then refuses the login. ``jkt`` binds the session
        to a key by its RFC 7638 thumbprint, ``x5t`` to a client certificate by its SHA-256 (RFC
        8705), and ``bound_cookie`` to a cookie whose value is ``Grant.cookie``, shown only here.
        ``address`` is where the request came from: for the throttle and for events, it is not kept.

        Raises ``SubjectBlocked`` for a blocked account, ``InvalidRequest`` for an argument that
        cannot be used, ``StoreUnavailable`` if the store did not confirm, ``AuditUnavailable`` if
        the audit log cannot be written, and whatever the throttle raises.
        """
        address = address_of(address)
        await self._witness.ready()
        await self._admit(subject, client_id, address)
        await self._catch_up()
        grant = await self._sessions.login(
            subject,
            client_id=client_id,
            scope=scope,
            claims=claims,
            device=device,
            auth_time=auth_time,
            jkt=jkt,
            bound_cookie=bound_cookie,
            x5t=x5t,
            address=address,
        )
        await self._tidy()
        return grant

    async def refresh(
        self,
        refresh_token: str,
        *,
        client_id: str | None = None,
        jkt: str | None = None,
        claims: ClaimsSource | None = None,
        address: str | None = None,
    ) -> Grant:
        """Exchange a refresh token for its successor and a fresh access token.

        Exactly one of any number of concurrent callers advances the session; the others, and
        retries inside the grace window, get the same successor. A token that was used up earlier
        ends the session.

        ``claims`` is a function, or coroutine function, from the session to the claims that it
        carries from then on, in place of those it had; it is asked before the token is used up.
        See ``require_refresh``. ``address`` is where the request came from, for events.

        Raises ``RefreshReplayed`` then, ``SessionEnded`` for a session that is over, and
        ``InvalidGrant`` for anything this authority did not hand out to this client and key; all
        are ``InvalidGrant``, and garbage never reaches the store.
        """
        address = address_of(address)
        await self._witness.ready()  # before the token is used up
        await self._catch_up()
        return await self._sessions.refresh(
            refresh_token, client_id=client_id, jkt=jkt, claims=claims, address=address
        )

    async def logout(self, token: str, *, reason: str = "logout") -> RevocationReceipt:
        """End the session that a token belongs to.

        Takes an access token, even one that has expired, or a refresh token; it must be genuine.
        Raises ``TokenRejected`` or ``InvalidGrant`` if it is not. Logging out twice is harmless.
        """
        await self._catch_up()
        draft = self._revocations.draft
        sid: str | None
        client_id: str | None
        jti = None
        if looks_like_handle(token):
            session = await self._sessions.session_of(token)
            subject, client_id, sid = session.subject, session.client_id, session.sid
            ends = draft(Kind.SESSION, sid, reason=reason)
        else:
            verified = self._replica.verify_ended(token)
            subject, client_id, sid = verified.subject, verified.client_id, verified.session_id
            if sid is not None:
                ends = draft(Kind.SESSION, sid, reason=reason)
            else:
                # A client's own token has no session, so it ends by itself.
                jti, exp = identifier(verified.jti, "jti"), verified.expires_at
                ends = draft(Kind.TOKEN, jti, reason=reason, token_exp=exp)
        event = Logout(
            at=ends.at,
            subject=subject,
            client_id=client_id,
            session_id=sid,
            token_id=jti,
            reason=ends.reason.value,
        )
        return await self._revocations.write([ends], events=[event])

    async def sessions(
        self, subject: str, *, current: str | None = None
    ) -> tuple[SessionInfo, ...]:
        """Return the live sessions of a subject, oldest first.

        ``current`` is the id of the one to mark: ``token.session_id`` of whoever asks.
        """
        return await self._sessions.list(subject, current)

    async def end_others(
        self, token: str, *, reason: str = "logout", binding: Mapping[str, str] | None = None
    ) -> RevocationReceipt:
        """End every session of the token's subject except the token's own.

        The token must verify, with ``binding`` if it is bound. One entry per session is written, so
        a login that happens meanwhile is not touched. ``receipt.sessions`` says how many ended.
        """
        verified = self._replica.verify(token, binding)
        others = [
            self._revocations.draft(Kind.SESSION, other.session_id, reason=reason)
            for other in await self._sessions.list(verified.subject)
            if other.session_id != verified.session_id
        ]
        if not others:
            return RevocationReceipt(epoch=None, seq=None, sessions=0)
        return await self._revocations.write(others, sessions=len(others))

    async def _admit(self, subject: str, client_id: str, address: str | None) -> None:
        check_names(subject, client_id)
        try:
            await self._witness.admit(subject, client_id, address)
        except LoginThrottled as error:
            await self._witness.record(
                LoginRefused(
                    at=self._settings.clock(),
                    subject=subject,
                    client_id=client_id,
                    code=error.code,
                    address=address,
                )
            )
            raise
