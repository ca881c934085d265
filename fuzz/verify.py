"""Any bytes as a token: a verified token or our refusal, and nothing without a good signature."""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

import annul

sys.path.insert(0, str(Path(__file__).parents[1]))
from fuzz.engine import run

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_800_000_000
ISSUER, AUDIENCE = "https://auth.example", "https://api.example"
RSA = rsa.generate_private_key(65_537, 2048)
KEYS = [
    annul.PrivateKey(ec.generate_private_key(ec.SECP256R1())),
    annul.PrivateKey(ec.generate_private_key(ec.SECP384R1())),
    annul.PrivateKey(ed25519.Ed25519PrivateKey.generate(), alg="Ed25519"),
    annul.PrivateKey(RSA, alg="RS256"),
]
PSS = annul.PrivateKey(RSA, alg="PS256")
CLAIMS = {
    "iss": ISSUER,
    "sub": "alice",
    "aud": [AUDIENCE],
    "exp": NOW + 900,
    "iat": NOW,
    "jti": "t1",
    "client_id": "web",
    "since": [1, 2],
    "sid": "s1",
    "nested": {"a": [1, 2.5, None, "\u00e9\\"]},
}
JWKS = annul.JWKS(key.public for key in KEYS)
VERIFIER = annul.Verifier(
    jwks=JWKS,
    policy=annul.Policy(issuer=ISSUER, audience=AUDIENCE),
    denylist=annul.Denylist(),
    clock=lambda: float(NOW),
    cache_size=200,
)
ALONE = annul.JWKS([PSS.public])


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def signed(key: annul.PrivateKey, claims: bytes, **header: Any) -> bytes:  # noqa: ANN401 - JSON values
    head = json.dumps({"alg": key.alg, "typ": "at+jwt", "kid": key.kid, **header}).encode()
    start = f"{encoded(head)}.{encoded(claims)}"
    return f"{start}.{encoded(key.sign(start.encode()))}".encode()


def samples() -> Iterator[bytes]:
    text = json.dumps(CLAIMS).encode()
    for key in (*KEYS, PSS):
        for length in range(3):  # every remainder of base64
            yield signed(key, text, pad="x" * length)
            yield signed(key, text[:-1] + b" " * length + b"}")
    yield signed(KEYS[2], text, crit=["exp"])
    yield signed(KEYS[2], text, jwk=KEYS[0].public.to_jwk(), x5c=["AA"])
    yield signed(KEYS[2], b"not JSON")
    yield b".."


def really_signed(data: bytes, key: annul.PrivateKey) -> bool:
    """Ask ``cryptography`` itself, with a decoder that encodes again to be sure."""
    start, _dot, tail = data.rpartition(b".")
    signature = base64.urlsafe_b64decode(tail + b"=" * (-len(tail) % 4))
    parts = [base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in start.split(b".")]
    if b".".join(encoded(part).encode() for part in (*parts, signature)) != data:
        return False
    public: Any = load_pem_public_key(key.public.to_pem())
    if key.alg in {"ES256", "ES384"}:
        half = len(signature) // 2
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        digest = hashes.SHA256() if key.alg == "ES256" else hashes.SHA384()
        public.verify(encode_dss_signature(r, s), start, ec.ECDSA(digest))
    elif key.alg == "Ed25519":
        public.verify(signature, start)
    elif key.alg == "RS256":
        public.verify(signature, start, padding.PKCS1v15(), hashes.SHA256())
    else:
        if len(signature) != RSA.key_size // 8:
            return False
        pad = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        public.verify(signature, start, pad, hashes.SHA256())
    return bool(json.loads(parts[0])["alg"] == key.alg)


def target(data: bytes) -> None:
    try:
        payload = annul.jws.verify(data, ALONE, algorithms=("PS256",))
    except annul.TokenRejected:
        pass
    else:
        assert really_signed(data, PSS)
        assert encoded(payload).encode() == data.split(b".")[1]
        return
    token = VERIFIER.verify(data)
    (key,) = (key for key in KEYS if key.kid == token.key_id)
    assert really_signed(data, key)
    assert token.issuer == ISSUER
    assert AUDIENCE in token.audience
    assert token.expires_at > NOW
    assert VERIFIER.verify(data) is token


if __name__ == "__main__":
    run(target, list(samples()))
