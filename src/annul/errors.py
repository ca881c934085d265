"""Every error annul raises, by whose fault it is.

::

    AnnulError
    ├── TokenRejected            the bearer's fault (HTTP 401)
    │   ├── NoToken              the request presents no token at all
    │   ├── Malformed            not a well-formed signed token
    │   ├── AlgorithmNotAllowed  the header names an algorithm the policy does not trust
    │   ├── WrongType            the header's typ is not the one the policy insists on
    │   ├── UnknownKey           no trusted key has this kid
    │   ├── BadSignature         the signature does not verify
    │   ├── ClaimMismatch        a claim is missing, ill-typed or not what the policy expects
    │   ├── Expired              exp has passed, or the token is older than max_age
    │   ├── NotYetValid          nbf or iat lies in the future
    │   ├── NotBound             the token is bound to a key or cookie that was not presented
    │   ├── InvalidDPoPProof     the proof of the key is not one, or not for this request
    │   ├── UseDPoPNonce         the proof must carry a recent nonce of this server
    │   ├── RefreshNeeded        the token's claims are out of date; one refresh heals it
    │   └── Revoked              a revocation covers the token
    ├── RequestRefused           the caller's fault (HTTP 400)
    │   ├── InvalidRequest       an argument cannot be used
    │   ├── InvalidGrant         this refresh token is not good (never says more on the wire)
    │   │   ├── SessionEnded     it is genuine, but its session is over
    │   │   └── RefreshReplayed  it was used up before; the session was ended
    │   ├── SubjectBlocked       the account is blocked, so it cannot log in
    │   ├── LoginThrottled       too many logins: wait, and try again (HTTP 429)
    │   └── InsufficientScope    the token is good, but not for this (HTTP 403)
    ├── Unavailable              our fault, try again (HTTP 503)
    │   ├── ReplicaStale         the replica cannot prove that it knows every revocation
    │   ├── StoreUnavailable     the store did not confirm the operation
    │   ├── AuditUnavailable     the audit log cannot be written, so nothing is given out
    │   ├── TooManyProofs        no room to remember that a DPoP proof was used
    │   └── NotYetConfirmed      recorded, but not every verifier has confirmed yet
    └── Misconfigured            the deployer's fault, raised when things are constructed
        ├── InvalidKey           key material that cannot or must not be used
        ├── UnsafeStore          the store is set up in a way that loses acknowledged revocations
        ├── WrongStore           the store belongs to something else, or to a newer annul
        └── MissingDependency    an extra is not installed

Every leaf carries a stable ``code``: match on the class or on the code, never on the
message. Messages say what to do, and contain no token, key or secret.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from annul.core.revocation import Revocation, RevocationReceipt

__all__ = [
    "AlgorithmNotAllowed",
    "AnnulError",
    "AuditUnavailable",
    "BadSignature",
    "ClaimMismatch",
    "Expired",
    "InsufficientScope",
    "InvalidDPoPProof",
    "InvalidGrant",
    "InvalidKey",
    "InvalidRequest",
    "LoginThrottled",
    "Malformed",
    "Misconfigured",
    "MissingDependency",
    "NoToken",
    "NotBound",
    "NotYetConfirmed",
    "NotYetValid",
    "RefreshNeeded",
    "RefreshReplayed",
    "ReplicaStale",
    "RequestRefused",
    "Revoked",
    "SessionEnded",
    "StoreUnavailable",
    "SubjectBlocked",
    "TokenRejected",
    "TooManyProofs",
    "Unavailable",
    "UnknownKey",
    "UnsafeStore",
    "UseDPoPNonce",
    "WrongStore",
    "WrongType",
]


class AnnulError(Exception):
    """The root: catching it catches everything annul raises on purpose.

    ``code`` is stable across releases and safe for logs and metric labels.
    """

    code: ClassVar[str] = "error"


# --- the bearer's fault ---------------------------------------------------------------


class TokenRejected(AnnulError):
    """This request's token must not be honoured. On the wire ``invalid_token`` (RFC 6750).

    Only the two about DPoP proofs go by their own codes there (RFC 9449 §7.1, §9).
    """

    code = "rejected"


class NoToken(TokenRejected):
    """The request presents no token. The challenge then names no error (RFC 6750 §3.1)."""

    code = "no_token"


class Malformed(TokenRejected):
    """The text is not a compact JWS with strict base64url and strict JSON (RFC 7515 §5.2)."""

    code = "malformed"


class AlgorithmNotAllowed(TokenRejected):
    """``alg`` is absent, not in the policy, or not the key's own algorithm (RFC 8725 §3.1)."""

    code = "algorithm_not_allowed"


class WrongType(TokenRejected):
    """``typ`` is missing or names another kind of token (RFC 8725 §3.11, RFC 9068 §4)."""

    code = "wrong_type"


class UnknownKey(TokenRejected):
    """``kid`` matches no trusted key, or is absent where several keys are trusted."""

    code = "unknown_key"


class BadSignature(TokenRejected):
    """The signature does not verify over the bytes received."""

    code = "bad_signature"


class ClaimMismatch(TokenRejected):
    """A claim is missing, of the wrong type, or not what the policy expects.

    ``claim`` is the name of the first claim that failed.
    """

    code = "claim_mismatch"

    def __init__(self, message: str, *, claim: str = "") -> None:
        super().__init__(message)
        self.claim = claim


class Expired(TokenRejected):
    """``exp`` (plus leeway) has been reached, or the token is older than ``max_age``."""

    code = "expired"


class NotYetValid(TokenRejected):
    """``nbf`` or ``iat`` (minus leeway) lies in the future."""

    code = "not_yet_valid"


class NotBound(TokenRejected):
    """The token is bound (``cnf``) and no matching binding was presented with it."""

    code = "not_bound"


class RefreshNeeded(TokenRejected):
    """What the token says of its subject is out of date; refresh it, nobody has to log in again."""

    code = "refresh_needed"


class InvalidDPoPProof(TokenRejected):
    """The DPoP proof is malformed, for another request or token, too old, or was used before."""

    code = "invalid_dpop_proof"


class UseDPoPNonce(TokenRejected):
    """The DPoP proof needs a recent nonce: answer with ``nonce`` in the header ``DPoP-Nonce``."""

    code = "use_dpop_nonce"

    def __init__(self, message: str, *, nonce: str = "") -> None:
        super().__init__(message)
        self.nonce = nonce


class Revoked(TokenRejected):
    """A revocation covers this token. ``revocation`` says which kind and why, for logs."""

    code = "revoked"

    def __init__(self, message: str, *, revocation: Revocation | None = None) -> None:
        super().__init__(message)
        self.revocation = revocation


# --- the caller's fault ---------------------------------------------------------------


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


# --- our fault ------------------------------------------------------------------------


class Unavailable(AnnulError):
    """annul cannot answer safely now; the same call may succeed later."""

    code = "unavailable"


class ReplicaStale(Unavailable):
    """The replica cannot prove that it has every revocation, so it accepts nothing.

    ``cause`` is one of ``starting``, ``store_unreachable``, ``store_empty``,
    ``clock_disagrees``, ``forked`` and ``closed``.
    """

    code = "replica_stale"

    def __init__(self, message: str, *, cause: str = "store_unreachable") -> None:
        super().__init__(message)
        self.cause = cause


class StoreUnavailable(Unavailable):
    """The store did not confirm. The write may or may not have happened.

    ``idempotency_key`` is set on errors of ``revoke``: repeat the call with it, and a
    revocation that did happen is completed rather than made twice.
    """

    code = "store_unavailable"

    def __init__(self, message: str, *, idempotency_key: str | None = None) -> None:
        super().__init__(message)
        self.idempotency_key = idempotency_key


class TooManyProofs(Unavailable):
    """There is no room to remember one more DPoP proof, so none is accepted for the moment."""

    code = "too_many_proofs"


class AuditUnavailable(Unavailable):
    """The audit log cannot be written, so nothing is given out: no login, refresh or key."""

    code = "audit_unavailable"


class NotYetConfirmed(Unavailable):
    """The revocation is recorded and travelling, but not yet confirmed everywhere.

    ``receipt`` has its position and who lags.
    """

    code = "not_yet_confirmed"

    def __init__(self, message: str, *, receipt: RevocationReceipt) -> None:
        super().__init__(message)
        self.receipt = receipt

    def __reduce__(self) -> tuple[Any, ...]:
        # So that it arrives from another process; exceptions are rebuilt from their message alone.
        return partial(type(self), receipt=self.receipt), self.args


# --- the deployer's fault -------------------------------------------------------------


class Misconfigured(AnnulError):
    """A setting cannot work; raised when an object is constructed, never while verifying."""

    code = "misconfigured"


class InvalidKey(Misconfigured, ValueError):
    """Key material that cannot be read, is too weak, or is not what it claims to be."""

    code = "invalid_key"


class UnsafeStore(Misconfigured):
    """The store would lose acknowledged revocations. The message names the setting to change."""

    code = "unsafe_store"


class WrongStore(Misconfigured):
    """The store belongs to another issuer, is not annul's, or has a newer schema."""

    code = "wrong_store"


class MissingDependency(Misconfigured, ImportError):
    """An optional dependency is missing; the message has the install command."""

    code = "missing_dependency"
