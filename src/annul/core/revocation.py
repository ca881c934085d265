"""A revocation: one fact in the log, and the words it is made of.

A fact says *what* is revoked (a target), *from where on* (its position in the log), *why*
(a reason) and *until when it has to be remembered* (its expiry, computed and never passed in).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import blake2b
from typing import NamedTuple

from annul.errors import InvalidRequest

__all__ = [
    "MAX_ID_LENGTH",
    "ClientId",
    "Everything",
    "Fingerprinter",
    "KeyId",
    "Kind",
    "Position",
    "Reason",
    "Revocation",
    "RevocationReceipt",
    "SessionId",
    "SubjectId",
    "Target",
    "TokenId",
    "Watermark",
    "fingerprint",
    "identifier",
    "remember_until",
]

MAX_ID_LENGTH = 1024
"""The longest identifier (``jti``, ``sid``, ``sub``, ``client_id``, ``kid``), in characters."""

MAX_LEEWAY = 300
"""The largest leeway any policy may have, in seconds (RFC 7519 §4.1.4: "a few minutes")."""

CLOCK_SKEW = 60
"""How far the clock of a machine may be from the store's, in seconds."""

LONGEST_ACCESS_TTL = 86_400
"""The longest lifetime an access token can be given, in seconds."""

LONGEST_FOREIGN = 400 * 86_400
"""How long a foreign issuer's tokens and sessions are taken to live at most, in seconds."""

FINGERPRINT_BYTES = 12


class Kind(StrEnum):
    """What a log entry is about."""

    TOKEN = "token"  # noqa: S105 - a kind, not a token
    SESSION = "session"
    SUBJECT = "subject"
    BLOCK = "block"
    UNBLOCK = "unblock"
    CLIENT = "client"
    KEY = "key"
    CLAIMS = "claims"
    ISSUER = "issuer"


LASTING = frozenset({Kind.SESSION, Kind.SUBJECT, Kind.CLIENT, Kind.CLAIMS, Kind.ISSUER})
"""Kinds whose entries are remembered until the longest session has run out."""


class Reason(StrEnum):
    """Why something was revoked. For people and metrics; it never changes what is refused."""

    LOGOUT = "logout"
    USER_DISABLED = "user_disabled"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 - a reason, not a password
    TOKEN_THEFT = "token_theft"  # noqa: S105 - a reason, not a token
    REFRESH_REUSE = "refresh_reuse"
    SESSION_HIJACK = "session_hijack"
    KEY_COMPROMISE = "key_compromise"
    CLIENT_COMPROMISE = "client_compromise"
    ADMIN = "admin"
    SUPERSEDED = "superseded"

    @classmethod
    def of(cls, value: str) -> Reason:
        """Return the reason of that name; ``InvalidRequest`` lists the names if there is none."""
        try:
            return cls(value)
        except ValueError:
            names = ", ".join(sorted(cls))
            raise InvalidRequest(f"unknown reason; use one of: {names}") from None


class Position(NamedTuple):
    """A place in the log. Positions compare by epoch, then by sequence number."""

    epoch: int
    seq: int


class Watermark(NamedTuple):
    """How far a reader has read: the position and the random tag of the entry that stands there.

    The tag is what tells a log that went on from one that was lost and grew again.
    """

    epoch: int
    seq: int
    tag: bytes

    @property
    def position(self) -> Position:
        """The position without the tag."""
        return Position(self.epoch, self.seq)


def identifier(value: object, what: str, *, foreign: bool = False) -> str:
    """Return ``value`` if it can identify something, and refuse it otherwise.

    Identifiers are non-empty ``str`` of at most ``MAX_ID_LENGTH`` characters that have a UTF-8
    form. Ours hold no control characters either; ``foreign`` ones may, because what somebody else
    has put into a token must be revocable. Anything else raises ``InvalidRequest``: an ``int`` key
    that meets a ``str`` one elsewhere is a revocation that silently does nothing.
    """
    if not isinstance(value, str):
        raise InvalidRequest(
            f"{what} must be str, not {type(value).__name__}; write str(...), for example"
            " str(user.pk)"
        )
    if not value:
        raise InvalidRequest(f"{what} must not be empty")
    if len(value) > MAX_ID_LENGTH:
        raise InvalidRequest(f"{what} is longer than {MAX_ID_LENGTH} characters")
    if not foreign and has_controls(value):
        raise InvalidRequest(f"{what} must not contain control characters")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidRequest(f"{what} must be valid Unicode, without lone surrogates") from None
    return value


def has_controls(value: str) -> bool:
    """Whether ``value`` holds control characters."""
    return any(char < " " or char == "\x7f" for char in value)


@dataclass(frozen=True, slots=True)
class TokenId:
    """One access token, by its ``jti``."""

    id: str
    kind = Kind.TOKEN

    def __post_init__(self) -> None:
        identifier(self.id, "token id (jti)", foreign=True)


@dataclass(frozen=True, slots=True)
class SessionId:
    """One session, by its ``sid``: one login on one device, with all its tokens."""

    id: str
    kind = Kind.SESSION

    def __post_init__(self) -> None:
        identifier(self.id, "session id (sid)", foreign=True)


@dataclass(frozen=True, slots=True)
class SubjectId:
    """Every session of one subject that began before the revocation; later logins are good."""

    id: str
    kind = Kind.SUBJECT

    def __post_init__(self) -> None:
        identifier(self.id, "subject (sub)", foreign=True)


@dataclass(frozen=True, slots=True)
class ClientId:
    """Every session through one client that began before the revocation."""

    id: str
    kind = Kind.CLIENT

    def __post_init__(self) -> None:
        identifier(self.id, "client id", foreign=True)


@dataclass(frozen=True, slots=True)
class KeyId:
    """Every token verified with one signing key, for good; replicas drop the key at once."""

    id: str
    kind = Kind.KEY

    def __post_init__(self) -> None:
        identifier(self.id, "key id (kid)", foreign=True)


@dataclass(frozen=True, slots=True)
class Everything:
    """Every session of the issuer that began before the revocation: the panic button."""

    id: str = field(default="", init=False)
    kind = Kind.ISSUER


Target = TokenId | SessionId | SubjectId | ClientId | KeyId | Everything


class Fingerprinter:
    """Makes the 96-bit fingerprints of one issuer's identifiers.

    On the log and in replicas an identifier *is* its fingerprint. 96 bits keep an accidental
    match among ten million entries below 10⁻²¹ per look-up, and lengths are hashed in, so that no
    (issuer, kind, id) can be written as another one.
    """

    __slots__ = ("_states",)

    def __init__(self, issuer: str) -> None:
        name = issuer.encode("utf-8")
        prefix = b"%d:%s" % (len(name), name)
        self._states = {
            kind: blake2b(prefix + kind.encode() + b":", digest_size=FINGERPRINT_BYTES)
            for kind in Kind
        }
        # Blocks and claims are a subject's, so all of these share its fingerprint.
        for kind in (Kind.BLOCK, Kind.UNBLOCK, Kind.CLAIMS):
            self._states[kind] = self._states[Kind.SUBJECT]

    def __call__(self, kind: Kind, value: str) -> bytes:
        """Return the fingerprint of ``value`` as an identifier of this kind."""
        state = self._states[kind].copy()
        state.update(value.encode("utf-8"))
        return state.digest()


def fingerprint(issuer: str, kind: Kind, value: str) -> bytes:
    """Return the fingerprint of one (issuer, kind, id); see ``Fingerprinter``."""
    return Fingerprinter(issuer)(kind, value)


@dataclass(frozen=True, slots=True)
class Revocation:
    """One entry of the log.

    ``position`` is given by the store in commit order, ``tag`` is random and makes the entry
    unique, ``at`` is wall time for people (and for tokens of foreign issuers). ``expires_at`` is
    the Unix time from which nothing it covers can be alive; ``None`` means it is kept for ever.
    ``id`` may be ``None`` where only the fingerprint is known. ``lifts`` names the blocks that an
    ``unblock`` lifts. ``proof`` is by what an authority recognises an entry that a store has lost.
    """

    position: Position
    tag: bytes
    issuer: str
    kind: Kind
    fingerprint: bytes
    reason: Reason
    at: float
    expires_at: int | None
    id: str | None = None
    actor: str | None = None
    lifts: tuple[bytes, ...] = ()
    proof: bytes = b""

    @property
    def watermark(self) -> Watermark:
        """The watermark of a reader that has read up to and including this entry."""
        return Watermark(self.position.epoch, self.position.seq, self.tag)


@dataclass(frozen=True, slots=True)
class RevocationReceipt:
    """What ``revoke`` did.

    ``epoch`` and ``seq`` are the entry's position (``None`` after a dry run); a replica whose
    watermark has reached it refuses the affected tokens. ``sessions`` counts the live sessions
    that it ends, ``None`` if they were not counted: for a client and for everything only
    ``dry_run`` counts, because a revocation must not wait for that. ``verifiers`` counts the
    verifiers that are known to have it, ``waited_ms`` says how long ``wait=True`` took, and
    ``laggards`` names the verifiers that had not confirmed. ``idempotency_key`` repeats this very
    revocation if given to ``revoke`` again.
    """

    epoch: int | None
    seq: int | None
    sessions: int | None = None
    verifiers: int = 0
    waited_ms: float = 0.0
    laggards: tuple[str, ...] = ()
    idempotency_key: str = ""
    dry_run: bool = False


def remember_until(
    kind: Kind, *, now: float, token_exp: float | None, longest_token: int, longest_session: int
) -> int | None:
    """Return the Unix time until which a revocation of ``kind`` must be remembered.

    ``token_exp`` is the token's own ``exp`` if the caller presented the token, otherwise ``None``
    and the longest lifetime any access token can have is assumed. The two lengths are the longest
    lifetimes, in seconds, ever issued under this store; both are simply added for the kinds in
    ``LASTING``, so a store can add them at the moment it appends. Leeway and clock skew are added,
    so that no verifier can still accept what the store has forgotten. Keys, blocks and unblocks
    are kept for ever (``None``).
    """
    if kind in LASTING:
        # A token may be minted in the last moment of the longest session.
        end = now + longest_session + longest_token
    elif kind is Kind.TOKEN:
        end = token_exp if token_exp is not None else now + LONGEST_ACCESS_TTL
    else:
        return None
    return int(end) + 1 + MAX_LEEWAY + 2 * CLOCK_SKEW
