"""What binds a token to a key, as values and texts: thumbprints, and what a server answers with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annul.core.encoding import EncodingError, b64url_decode
from annul.core.handle import as_plain
from annul.errors import (
    InvalidDPoPProof,
    InvalidRequest,
    NotBound,
    NoToken,
    TokenRejected,
    UseDPoPNonce,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annul.core.claims import VerifiedToken

__all__ = ["bound_key", "challenge", "thumbprint"]

_SHA256_BYTES = 32


def thumbprint(value: object, what: str = "jkt") -> str:
    """Return ``value`` if it is an RFC 7638 thumbprint: the SHA-256 of a key, as 43 characters.

    Raises ``InvalidRequest`` for anything else, so that no session is bound to what no key has.
    """
    text = as_plain(value)
    try:
        size = len(b64url_decode(text))
    except EncodingError:
        size = 0
    if size != _SHA256_BYTES:
        raise InvalidRequest(f"{what} is the RFC 7638 thumbprint of a key, 43 characters")
    return text


def bound_key(token: VerifiedToken) -> str:
    """Return the thumbprint that a token is bound to; ``NotBound`` if it is bound to no key."""
    cnf = token.claims.get("cnf")
    jkt = cnf.get("jkt") if isinstance(cnf, dict) else None
    if not isinstance(jkt, str):
        raise NotBound("the token is not bound to a key, so it is not one for the scheme DPoP")
    return jkt


def challenge(error: TokenRejected | None, algorithms: Sequence[str]) -> dict[str, str]:
    """Return the headers that go with status 401 (RFC 9449 §7.1, §9).

    What exactly was wrong is not said: that a token is revoked, expired or bound to another key
    looks the same from outside. Without ``error`` no credentials had come at all.
    """
    code = None
    if error is not None and not isinstance(error, NoToken):
        own = isinstance(error, InvalidDPoPProof | UseDPoPNonce)
        code = error.code if own else "invalid_token"
    parameters = [f'error="{code}"'] if code else []
    parameters.append(f'algs="{" ".join(algorithms)}"')
    headers = {"WWW-Authenticate": "DPoP " + ", ".join(parameters)}
    if isinstance(error, UseDPoPNonce):
        # A nonce that came out of a cache would be refused (RFC 9449 §8.2).
        headers |= {"DPoP-Nonce": error.nonce, "Cache-Control": "no-store"}
    return headers
