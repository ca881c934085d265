"""Any bytes as a JWK Set: keys that could be published again, or InvalidKey."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import annul

sys.path.insert(0, str(Path(__file__).parents[1]))
from fuzz.engine import run

if TYPE_CHECKING:
    from collections.abc import Iterator

ALGS = ["ES256", "ES384", "ES512", "Ed25519", "RS256"]
POLICY = annul.Policy(issuer="https://auth.example", audience="https://api.example")
KEYS = [annul.PrivateKey.generate(alg) for alg in ALGS]


def samples() -> Iterator[bytes]:
    yield annul.JWKS(key.public for key in KEYS).to_json().encode()
    for key in KEYS:
        for jwk in (key.public.to_jwk(), key.to_jwk()):
            yield json.dumps({"keys": [jwk]}).encode()
            yield json.dumps({"keys": [{**jwk, "key_ops": ["verify"], "x5c": ["AA"]}]}).encode()
    yield json.dumps({"keys": [{"kty": "oct", "k": "AA"}, KEYS[0].public.to_jwk()]}).encode()
    yield b'{"keys": []}'


def target(data: bytes) -> None:
    jwks = annul.JWKS.from_json(data)
    annul.Verifier(jwks=jwks, policy=POLICY, denylist=annul.Denylist())
    published = jwks.to_json()
    assert annul.JWKS.from_json(published) == jwks
    assert not {"d", "p", "q", "k", "priv"} & set(published.split('"'))
    for key in jwks:
        assert annul.PublicKey.from_pem(key.to_pem()).thumbprint == key.thumbprint
        assert jwks.select(key.kid) is key
    # The same document, already parsed: members are looked at by another way.
    parsed = json.loads(data)
    assert annul.JWKS.from_json(parsed) == jwks
    for member in parsed["keys"]:
        if isinstance(member, dict) and "d" in member and "n" not in member:
            try:
                private = annul.PrivateKey.from_jwk(member)
            except annul.InvalidKey:
                continue
            private.public.check(private.alg)(private.sign(data), data)


if __name__ == "__main__":
    run(target, list(samples()))
