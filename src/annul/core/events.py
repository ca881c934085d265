"""What happens, as values: one class for each kind of event.

An application hands in a listener with ``events=``, and an audit log keeps them in a file. An event
says who, what, when and why. It never holds a token, a key or a claim: text that has the form of a
token, in a device label for example, is replaced by ``***``.

::

    Event
    ├── SessionEvent     Login, Refresh, Retry, Reuse, RefreshRefused
    ├── LoginRefused, Logout
    ├── Revoke, Block, Unblock
    ├── KeyRotated, KeyRevoked, KeyExported
    ├── Stale, Fresh     of a replica
    ├── StoreLost, StoreRestored
    └── Missed           what a listener was too slow for
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from annul.core.revocation import Position

__all__ = [
    "Block",
    "Event",
    "Fresh",
    "KeyExported",
    "KeyRevoked",
    "KeyRotated",
    "Login",
    "LoginRefused",
    "Logout",
    "Missed",
    "Refresh",
    "RefreshRefused",
    "Retry",
    "Reuse",
    "Revoke",
    "SessionEvent",
    "Stale",
    "StoreLost",
    "StoreRestored",
    "Unblock",
]

# A JWS whose header begins as JSON does, and a refresh token.
_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}(?:\.[\w-]*)?|v1\.[\w-]+\.[\w-]{22}\.\d+\.[\w-]{43}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that has happened, at the Unix time ``at``. ``name`` says what, in one word."""

    name: ClassVar[str] = "event"

    at: float

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if isinstance(value, str) and _TOKEN.search(value):
                object.__setattr__(self, each.name, _TOKEN.sub("***", value))

    def as_dict(self) -> dict[str, Any]:
        """Return the event as JSON values: ``event`` is its name, and what is unknown is left out.

        Example: ``log.info(json.dumps(event.as_dict()))``
        """
        found = {each.name: getattr(self, each.name) for each in fields(self)}
        return {"event": self.name} | {
            name: value for name, value in found.items() if value is not None
        }


# --- sessions -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEvent(Event):
    """Something about one session. ``device`` is its label, ``address`` where the request was from.

    The address is what ``login`` or ``refresh`` was given; annul keeps it nowhere else.
    """

    subject: str
    client_id: str
    session_id: str
    device: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Login(SessionEvent):
    """A session has begun."""

    name: ClassVar[str] = "login"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh(SessionEvent):
    """A refresh token was exchanged for its successor."""

    name: ClassVar[str] = "refresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry(SessionEvent):
    """The refresh token before the current one came again, and got the same successor.

    Inside the grace window a thief cannot be told from a second tab, so compare the addresses.
    ``rotated_at`` is when it was exchanged first.
    """

    name: ClassVar[str] = "retry"

    rotated_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse(SessionEvent):
    """A used-up refresh token came back: somebody has a copy. The session was ended.

    ``rotated_at`` is when the session was refreshed last.
    """

    name: ClassVar[str] = "reuse"

    rotated_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshRefused(SessionEvent):
    """A genuine refresh token of a session that is over. ``code`` is that of the error."""

    name: ClassVar[str] = "refresh_refused"

    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginRefused(Event):
    """A login was refused: ``code`` is that of the error, such as ``subject_blocked``."""

    name: ClassVar[str] = "login_refused"

    subject: str
    client_id: str
    code: str
    device: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Logout(Event):
    """A session was ended by whoever held one of its tokens.

    ``token_id`` is set instead of ``session_id`` for a client's own token, which has no session.
    """

    name: ClassVar[str] = "logout"

    subject: str
    client_id: str | None
    session_id: str | None
    token_id: str | None = None
    reason: str


# --- taking back ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoke(Event):
    """Something was taken back: an entry was recorded at ``position``.

    ``kind`` and ``id`` say what, ``issuer`` whose if it is a foreign one's.
    """

    name: ClassVar[str] = "revoke"

    kind: str
    id: str | None
    reason: str
    actor: str | None = None
    issuer: str | None = None
    position: Position


@dataclass(frozen=True, slots=True, kw_only=True)
class Block(Event):
    """An account was blocked."""

    name: ClassVar[str] = "block"

    subject: str
    reason: str
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unblock(Event):
    """The blocks of an account were lifted."""

    name: ClassVar[str] = "unblock"

    subject: str
    reason: str
    actor: str | None = None


# --- keys -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRotated(Event):
    """A signing key was added and takes over soon; ``imported`` says that it was brought along."""

    name: ClassVar[str] = "key_rotated"

    kid: str
    alg: str
    imported: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRevoked(Event):
    """A signing key was revoked, with every token that it has signed."""

    name: ClassVar[str] = "key_revoked"

    kid: str
    reason: str
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyExported(Event):
    """A private key was handed out; ``encrypted`` says whether under a passphrase."""

    name: ClassVar[str] = "key_exported"

    kid: str
    encrypted: bool


# --- replicas and stores --------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale(Event):
    """A replica is no longer fresh; ``cause`` is as in ``ReplicaStale``."""

    name: ClassVar[str] = "stale"

    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fresh(Event):
    """A replica has become fresh, for the first time or again."""

    name: ClassVar[str] = "fresh"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLost(Event):
    """The store was seen to have lost data. ``what`` is a sentence for people."""

    name: ClassVar[str] = "store_lost"

    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreRestored(Event):
    """A store that had lost data was given back so many ``entries``."""

    name: ClassVar[str] = "store_restored"

    entries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed(Event):
    """So many events before this one were dropped: they came faster than they were taken."""

    name: ClassVar[str] = "missed"

    count: int
