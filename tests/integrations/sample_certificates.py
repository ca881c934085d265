"""Client certificates that are the same in every run, and others of the same key."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID


@cache
def certificate(serial: int = 1, seed: int = 1) -> x509.Certificate:
    """Return a self-signed certificate; ``serial`` tells renewals of one key apart."""
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client.example")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2090, 1, 1, tzinfo=UTC))
        .sign(key, None)
    )


def der(serial: int = 1, seed: int = 1) -> bytes:
    return certificate(serial, seed).public_bytes(Encoding.DER)


def pem(serial: int = 1, seed: int = 1) -> str:
    return certificate(serial, seed).public_bytes(Encoding.PEM).decode()
