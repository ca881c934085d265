"""Any bytes as a PEM file: a key that signs and is written back the same, or InvalidKey."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

import annul

sys.path.insert(0, str(Path(__file__).parents[1]))
from fuzz.engine import run

if TYPE_CHECKING:
    from collections.abc import Iterator

ALGS = ["ES256", "ES512", "Ed25519", "RS256"]
RSA = rsa.generate_private_key(65_537, 2048)
# OpenSSL tests the factors of a private RSA key for primality, and takes its time. Private keys are
# our own; it is the public ones that anybody may hand in, and those are quick.
PATIENCE = 2.0


def key_for(alg: str) -> annul.PrivateKey:
    # The shortest modulus that is allowed: every damaged copy of it is checked again.
    return annul.PrivateKey(RSA) if alg == "RS256" else annul.PrivateKey.generate(alg)


def samples() -> Iterator[bytes]:
    for alg in ALGS:
        key = key_for(alg)
        yield key.to_pem()
        yield key.public.to_pem()
        if alg != "Ed25519":
            opened = load_pem_private_key(key.to_pem(), None)
            older = PrivateFormat.TraditionalOpenSSL
            yield opened.private_bytes(Encoding.PEM, older, NoEncryption())
    yield RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.PKCS1)
    for other in (
        ec.generate_private_key(ec.SECP256K1()),
        x25519.X25519PrivateKey.generate(),
        ed448.Ed448PrivateKey.generate(),
        dsa.generate_private_key(1024),  # noqa: S505 - it has to be refused
    ):
        yield other.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        yield other.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    yield b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"


def target(data: bytes) -> None:
    refusal: annul.InvalidKey
    try:
        public = annul.PublicKey.from_pem(data)
    except annul.InvalidKey as error:
        refusal = error
    else:
        assert annul.PublicKey.from_pem(public.to_pem()) == public
        assert annul.PublicKey.from_jwk(public.to_jwk()).thumbprint == public.thumbprint
        return
    if b"PRIVATE" not in data:
        raise refusal
    private = annul.PrivateKey.from_pem(data)
    assert annul.PrivateKey.from_pem(private.to_pem()).kid == private.kid
    private.public.check(private.alg)(private.sign(data), data)


if __name__ == "__main__":
    run(target, list(samples()), patience=PATIENCE)
