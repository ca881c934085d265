"""Tokens as tests need them: any header over any payload, signed by one key that never changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from annul.core.encoding import b64url_encode
from annul.core.jwk import PrivateKey
from annul.core.jwks import JWKS
from annul.core.policy import Policy
from annul.testing import ISSUER, NOW

if TYPE_CHECKING:
    from collections.abc import Mapping

AUDIENCE = "https://api.example"
# Ed25519 signs alike every time, so a token is the same text in every run.
KEY = PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER_KEY = PrivateKey(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
KEYS = JWKS([KEY.public])
POLICY = Policy(issuer=ISSUER, audience=AUDIENCE)
FOREIGN = Policy.foreign(issuer=ISSUER, audience=AUDIENCE, algorithms=("Ed25519",))


def sample_claims(*absent: str, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
    """Return what an access token of annul says, with claims changed and left out."""
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": AUDIENCE,
        "exp": NOW + 900,
        "iat": NOW,
        "jti": "token-1",
        "client_id": "web",
        "since": [7, 4],
        "sid": "session-1",
        **changed,
    }
    return {name: value for name, value in claims.items() if name not in absent}


def sample_header(*absent: str, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
    """Return the header of an access token of annul, with members changed and left out."""
    header = {"alg": "Ed25519", "typ": "at+jwt", "kid": KEY.kid, **changed}
    return {name: value for name, value in header.items() if name not in absent}


def signed(
    claims: Mapping[str, Any] | bytes | None = None,
    header: Mapping[str, Any] | None = None,
    key: PrivateKey = KEY,
) -> str:
    """Return a token with exactly this header and payload, correctly signed with ``key``."""
    if not isinstance(claims, bytes):
        claims = json.dumps(sample_claims() if claims is None else claims).encode()
    head = json.dumps(sample_header() if header is None else header).encode()
    text = f"{b64url_encode(head)}.{b64url_encode(claims)}"
    return f"{text}.{b64url_encode(key.sign(text.encode()))}"
