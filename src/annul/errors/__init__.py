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

from annul.errors.misconfigured import (
    InvalidKey,
    Misconfigured,
    MissingDependency,
    UnsafeStore,
    WrongStore,
)
from annul.errors.refused import (
    InsufficientScope,
    InvalidGrant,
    InvalidRequest,
    LoginThrottled,
    RefreshReplayed,
    RequestRefused,
    SessionEnded,
    SubjectBlocked,
)
from annul.errors.rejected import (
    AlgorithmNotAllowed,
    BadSignature,
    ClaimMismatch,
    Expired,
    InvalidDPoPProof,
    Malformed,
    NotBound,
    NoToken,
    NotYetValid,
    RefreshNeeded,
    Revoked,
    TokenRejected,
    UnknownKey,
    UseDPoPNonce,
    WrongType,
)
from annul.errors.root import AnnulError
from annul.errors.unavailable import (
    AuditUnavailable,
    NotYetConfirmed,
    ReplicaStale,
    StoreUnavailable,
    TooManyProofs,
    Unavailable,
)

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
