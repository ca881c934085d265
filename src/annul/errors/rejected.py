"""The bearer's fault: this token must not be honoured (HTTP 401)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annul.errors.root import AnnulError

if TYPE_CHECKING:
    from annul.core.revocation import Revocation

__all__ = [
    "AlgorithmNotAllowed",
    "BadSignature",
    "ClaimMismatch",
    "Expired",
    "InvalidDPoPProof",
    "Malformed",
    "NoToken",
    "NotBound",
    "NotYetValid",
    "RefreshNeeded",
    "Revoked",
    "TokenRejected",
    "UnknownKey",
    "UseDPoPNonce",
    "WrongType",
]


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
