# ruff: noqa: INP001 - scripts of this repository, not a package
"""Keys and signatures of the vectors, made with ``cryptography`` alone and never with annul.

Everything that can be deterministic is: ECDSA after RFC 6979, PSS with a salt derived from what is
signed. ML-DSA signatures are random, so ``make_vectors`` keeps the ones that are there.
"""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CURVES", "HASHES", "Signer", "b64", "compact", "pss_block", "unb64"]

CURVES: dict[str, tuple[str, int, int]] = {
    "ES256": (
        "P-256",
        32,
        0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    ),
    "ES384": ("P-384", 48, 2**384 - 0x389CB27E0BC8D220A7E5F24DB74F58851313E695333AD68D),
    "ES512": (
        "P-521",
        66,
        2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
    ),
}
"""The curve, the bytes of half a signature and the order of the group, by ``alg``."""

HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
"""The hash function by the digits in an ``alg``."""

_TRAILER = 0xBC


def b64(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def unb64(text: str) -> bytes:
    """Return what ``b64`` has encoded."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(header: object, payload: object) -> str:
    """Return the signing input of a header and a payload, each bytes, text or JSON."""
    return f"{b64(_octets(header))}.{b64(_octets(payload))}"


def _octets(part: object) -> bytes:
    if isinstance(part, bytes):
        return part
    text = part if isinstance(part, str) else json.dumps(part, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


class Signer:
    """One private key, its name and its public JWK."""

    def __init__(self, alg: str, pem: str) -> None:
        self.alg = alg
        self.key: Any = load_pem_private_key(pem.encode(), None)
        members = _members(alg, self.key.public_key())
        text = json.dumps(members, sort_keys=True, separators=(",", ":"))
        self.kid = b64(sha256(text.encode()).digest())
        self.jwk: dict[str, Any] = {**members, "alg": alg, "use": "sig", "kid": self.kid}

    def header(self, **changed: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON values
        """Return the header of an access token of this key; ``...`` leaves a member out."""
        members = {"alg": self.alg, "typ": "at+jwt", "kid": self.kid, **changed}
        return {name: value for name, value in members.items() if value is not ...}

    def sign(self, data: bytes, alg: str | None = None) -> bytes:
        """Return the signature over ``data``, as JOSE writes it."""
        alg = self.alg if alg is None else alg
        digest = HASHES.get(alg[-3:])
        made: bytes
        if digest is None:
            made = self.key.sign(data)
            return made
        if alg in CURVES:
            half = CURVES[alg][1]
            made = self.key.sign(data, ec.ECDSA(digest, deterministic_signing=True))
            return b"".join(part.to_bytes(half, "big") for part in decode_dss_signature(made))
        if alg.startswith("RS"):
            return bytes(self.key.sign(data, padding.PKCS1v15(), digest))
        return self.apply(pss_block(data, digest, digest, digest.digest_size, self.bits))

    def token(self, header: object, payload: object) -> str:
        """Return the compact JWS of exactly this header and payload."""
        start = compact(header, payload)
        return f"{start}.{b64(self.sign(start.encode()))}"

    @property
    def bits(self) -> int:
        """The length of an RSA modulus."""
        return int(self.key.key_size)

    def apply(self, block: bytes) -> bytes:
        """Return an RSA block raised to the private exponent: a signature, if it is padded."""
        numbers = self.key.private_numbers()
        number = pow(int.from_bytes(block, "big"), numbers.d, numbers.public_numbers.n)
        signature: bytes = number.to_bytes((self.bits + 7) // 8, "big")
        return signature


def _members(alg: str, key: Any) -> Mapping[str, str]:  # noqa: ANN401 - one of four key types
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        n, e = (
            b64(number.to_bytes((number.bit_length() + 7) // 8, "big"))
            for number in (numbers.n, numbers.e)
        )
        return {"kty": "RSA", "n": n, "e": e}
    if isinstance(key, ec.EllipticCurvePublicKey):
        curve, half, _order = CURVES[alg]
        point = key.public_numbers()
        x, y = (b64(number.to_bytes(half, "big")) for number in (point.x, point.y))
        return {"kty": "EC", "crv": curve, "x": x, "y": y}
    if isinstance(key, ed25519.Ed25519PublicKey):
        return {"kty": "OKP", "crv": "Ed25519", "x": b64(key.public_bytes_raw())}
    kinds = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey
    if not isinstance(key, kinds):
        raise TypeError("no such kind of key")
    return {"kty": "AKP", "alg": alg, "pub": b64(key.public_bytes_raw())}


def pss_block(
    data: bytes, digest: hashes.HashAlgorithm, mask: hashes.HashAlgorithm, salt: int, bits: int
) -> bytes:
    """Return EMSA-PSS (RFC 8017 §9.1.1) with a salt of so many bytes that ``data`` decides."""
    size = (bits - 1 + 7) // 8
    salt_bytes = sha256(b"salt" + data).digest() * 8
    hashed = _hash(digest, bytes(8) + _hash(digest, data) + salt_bytes[:salt])
    block = bytes(size - salt - len(hashed) - 2) + b"\1" + salt_bytes[:salt]
    masked = bytearray(
        one ^ two for one, two in zip(block, _mgf1(mask, hashed, len(block)), strict=True)
    )
    masked[0] &= 0xFF >> (8 * size - (bits - 1))
    return bytes(masked) + hashed + bytes([_TRAILER])


def _mgf1(digest: hashes.HashAlgorithm, seed: bytes, length: int) -> bytes:
    rounds = -(-length // digest.digest_size)
    return b"".join(_hash(digest, seed + count.to_bytes(4, "big")) for count in range(rounds))[
        :length
    ]


def _hash(digest: hashes.HashAlgorithm, data: bytes) -> bytes:
    made = hashes.Hash(digest)
    made.update(data)
    return made.finalize()
