"""The caller's fault: the request cannot be served as it stands (HTTP 400)."""

from __future__ import annotations

from annul.errors.root import AnnulError

__all__ = [
    "InsufficientScope",
    "InvalidGrant",
    "InvalidRequest",
    "LoginThrottled",
    "RefreshReplayed",
    "RequestRefused",
    "SessionEnded",
    "SubjectBlocked",
]


class RequestRefused(AnnulError):
    """The request cannot be served as it stands; repeating it will not help."""

    code = "refused"


class InvalidRequest(RequestRefused, ValueError):
    """An argument cannot be used; the message says which one and what would do."""

    code = "invalid_request"


class InvalidGrant(RequestRefused):
    """A refresh token that is garbage, unknown, of another client, or of another store."""

    code = "invalid_grant"


class SessionEnded(InvalidGrant):
    """A genuine refresh token of a session that is over: logged out, revoked or timed out."""

    code = "session_ended"


class RefreshReplayed(InvalidGrant):
    """A used-up refresh token came back. Somebody has a copy, so the session was ended."""

    code = "refresh_replayed"


class SubjectBlocked(RequestRefused):
    """The account is blocked; ``unblock`` it before it can log in."""

    code = "subject_blocked"


class LoginThrottled(RequestRefused):
    """Too many logins: what ``throttle`` raises to refuse one. HTTP 429 (RFC 6585 §4).

    ``retry_after`` is in how many seconds to try again, ``None`` if that is not said.
    """

    code = "login_throttled"

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class InsufficientScope(RequestRefused):
    """The token is good, but its scope does not reach this far (HTTP 403, RFC 6750 §3.1).

    ``scope`` is what it would take, names separated by spaces.
    """

    code = "insufficient_scope"

    def __init__(self, message: str, *, scope: str = "") -> None:
        super().__init__(message)
        self.scope = scope
