"""Session limits by assurance level (NIST SP 800-63B-4, sections 2.1.3, 2.2.3 and 2.3.3)."""

from __future__ import annotations

from typing import TypedDict

from annul.errors import Misconfigured

__all__ = ["SessionLimits", "session_limits"]

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR


class SessionLimits(TypedDict):
    """Two settings of ``Authority.open``, in seconds: the absolute limit and the idle limit."""

    session_ttl: int
    idle_ttl: int


_LIMITS = {
    # No inactivity time-out is asked for, so only the absolute limit counts.
    "AAL1": SessionLimits(session_ttl=30 * _DAY, idle_ttl=30 * _DAY),
    "AAL2": SessionLimits(session_ttl=24 * _HOUR, idle_ttl=_HOUR),
    "AAL3": SessionLimits(session_ttl=12 * _HOUR, idle_ttl=15 * _MINUTE),
}


def session_limits(level: str) -> SessionLimits:
    """Return the longest limits that NIST SP 800-63B-4 has for ``AAL1``, ``AAL2`` or ``AAL3``.

    Raises ``Misconfigured`` for any other name. A session is used when it is refreshed: for users
    who are not to be logged out at work, keep ``access_ttl`` at half of ``idle_ttl`` or less.

    Example: ``Authority.open(url, issuer=…, audience=…, **session_limits("AAL2"))``.
    """
    limits = _LIMITS.get(level) if isinstance(level, str) else None
    if limits is None:
        raise Misconfigured(f"the assurance levels are {', '.join(_LIMITS)}")
    return limits.copy()
