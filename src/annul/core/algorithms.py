"""The one table of signature algorithms: everything that knows an ``alg`` by name is here.

Asymmetric only. ``none`` and ``HS*`` do not exist in this library, so no mistake can reach them
(RFC 8725 §3.1, §3.2). A row makes checkers and signers for keys of its own kind; they are built
once per key, because building padding and hash objects costs more than the bookkeeping around them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from annul.core.ecdsa import der_from_raw, raw_from_der

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALGORITHMS", "Algorithm", "Checker", "Signer", "names_for"]

Checker = Callable[[bytes, bytes], None]
"""``check(signature, signing_input)`` returns nothing or raises ``InvalidSignature``."""

Signer = Callable[[bytes], bytes]
"""``sign(signing_input)`` returns the signature as JOSE writes it."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One row: an ``alg`` and the kind of key it works with.

    ``size`` is the exact length of a signature in bytes, ``None`` where the key decides it.
    ``make_checker`` takes a public key object of ``cryptography``, ``make_signer`` a private one.
    """

    name: str
    kty: str
    crv: str | None
    size: int | None
    make_checker: Callable[[Any], Checker]
    make_signer: Callable[[Any], Signer]


def _rsa(name: str, pad: padding.AsymmetricPadding, digest: hashes.HashAlgorithm) -> Algorithm:
    def checker(key: Any) -> Checker:  # noqa: ANN401 - the row's own key type
        verify = key.verify
        size = (key.key_size + 7) // 8

        def check(signature: bytes, signing_input: bytes) -> None:
            # RFC 8017 §8.1.2, step 1. OpenSSL takes a PSS signature without its leading zeros,
            # which would give one token two spellings.
            if len(signature) != size:
                raise InvalidSignature
            verify(signature, signing_input, pad, digest)

        return check

    def signer(key: Any) -> Signer:  # noqa: ANN401
        return lambda data: bytes(key.sign(data, pad, digest))

    return Algorithm(name, "RSA", None, None, checker, signer)


def _pkcs1(name: str, digest: hashes.HashAlgorithm) -> Algorithm:
    """RFC 7518 §3.3."""
    return _rsa(name, padding.PKCS1v15(), digest)


def _pss(name: str, digest: hashes.HashAlgorithm) -> Algorithm:
    """RFC 7518 §3.5: the salt is as long as the hash, MGF1 uses the same hash."""
    return _rsa(name, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)


def _ecdsa(name: str, crv: str, half: int, digest: hashes.HashAlgorithm) -> Algorithm:
    """RFC 7518 §3.4: R and S side by side, each exactly as long as the curve's order."""
    algorithm = ec.ECDSA(digest)
    size = 2 * half

    def checker(key: Any) -> Checker:  # noqa: ANN401
        verify = key.verify

        def check(signature: bytes, signing_input: bytes) -> None:
            if len(signature) != size:
                raise InvalidSignature
            verify(der_from_raw(signature, half), signing_input, algorithm)

        return check

    def signer(key: Any) -> Signer:  # noqa: ANN401
        sign = key.sign
        return lambda data: raw_from_der(sign(data, algorithm), half)

    return Algorithm(name, "EC", crv, size, checker, signer)


def _fixed(name: str, kty: str, crv: str | None, size: int) -> Algorithm:
    """EdDSA and ML-DSA: the key says everything, and signatures have one length."""

    def checker(key: Any) -> Checker:  # noqa: ANN401
        verify = key.verify

        def check(signature: bytes, signing_input: bytes) -> None:
            if len(signature) != size:
                raise InvalidSignature
            verify(signature, signing_input)

        return check

    def signer(key: Any) -> Signer:  # noqa: ANN401
        return lambda data: bytes(key.sign(data))

    return Algorithm(name, kty, crv, size, checker, signer)


def _table() -> dict[str, Algorithm]:
    rows = [
        _ecdsa("ES256", "P-256", 32, hashes.SHA256()),
        _ecdsa("ES384", "P-384", 48, hashes.SHA384()),
        _ecdsa("ES512", "P-521", 66, hashes.SHA512()),
        # RFC 9864 names the curve; EdDSA is the older name of the same computation.
        _fixed("Ed25519", "OKP", "Ed25519", 64),
        _fixed("EdDSA", "OKP", "Ed25519", 64),
        _pkcs1("RS256", hashes.SHA256()),
        _pkcs1("RS384", hashes.SHA384()),
        _pkcs1("RS512", hashes.SHA512()),
        _pss("PS256", hashes.SHA256()),
        _pss("PS384", hashes.SHA384()),
        _pss("PS512", hashes.SHA512()),
    ]
    try:
        from cryptography.hazmat.primitives.asymmetric import mldsa  # noqa: F401, PLC0415
    except ImportError:
        pass  # an older cryptography: these three do not exist then
    else:
        rows += [
            _fixed("ML-DSA-44", "AKP", None, 2420),
            _fixed("ML-DSA-65", "AKP", None, 3309),
            _fixed("ML-DSA-87", "AKP", None, 4627),
        ]
    return {row.name: row for row in rows}


ALGORITHMS: Mapping[str, Algorithm] = MappingProxyType(_table())
"""Every algorithm by its ``alg`` name, preferred ones first."""


def names_for(kty: str, crv: str | None) -> tuple[str, ...]:
    """Return the algorithms that a key of this type could be used with."""
    return tuple(row.name for row in ALGORITHMS.values() if row.kty == kty and row.crv == crv)
