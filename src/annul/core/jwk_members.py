"""JSON Web Key members (RFC 7517, 7518 §6, 8037, 9964): strict reading and canonical writing.

``read_public`` and ``read_private`` turn members into key objects, ``public_members`` and
``private_members`` do the reverse. What is wrong with a key is said as ``UnusableKey`` or, by
``cryptography``, as another ``ValueError``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from annul.core.algorithms import names_for
from annul.core.encoding import b64url_decode, b64url_encode
from annul.core.key_checks import MAX_RSA_BITS, UnusableKey, check_ed25519, check_rsa

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CURVES",
    "algorithms_of",
    "check_private_part",
    "is_private",
    "kind_of",
    "mldsa_private",
    "private_members",
    "public_members",
    "read_private",
    "read_public",
]

CURVES: dict[str, tuple[ec.EllipticCurve, int]] = {
    "P-256": (ec.SECP256R1(), 32),
    "P-384": (ec.SECP384R1(), 48),
    "P-521": (ec.SECP521R1(), 66),
}
_CURVE_NAMES = {curve.name: name for name, (curve, _) in CURVES.items()}
_SEED_BYTES = 32
_LEAST_PRIME = 3

try:
    from cryptography.hazmat.primitives.asymmetric import mldsa
except ImportError:  # an older cryptography
    _MLDSA: dict[str, tuple[Any, Any]] = {}
else:
    _MLDSA = {
        "ML-DSA-44": (mldsa.MLDSA44PublicKey, mldsa.MLDSA44PrivateKey),
        "ML-DSA-65": (mldsa.MLDSA65PublicKey, mldsa.MLDSA65PrivateKey),
        "ML-DSA-87": (mldsa.MLDSA87PublicKey, mldsa.MLDSA87PrivateKey),
    }


def is_private(key: object) -> bool:
    """Return whether a key object is the private one."""
    return hasattr(key, "private_bytes")


def kind_of(key: object) -> tuple[str, str | None]:
    """Return ``kty`` and ``crv`` (or the ML-DSA name) of a public or private key object.

    Raises ``UnusableKey`` for a kind of key that no algorithm here can use.
    """
    if isinstance(key, rsa.RSAPublicKey | rsa.RSAPrivateKey):
        return "RSA", None
    if isinstance(key, ec.EllipticCurvePublicKey | ec.EllipticCurvePrivateKey):
        name = _CURVE_NAMES.get(key.curve.name)
        if name is None:
            raise UnusableKey(f"the curve {key.curve.name} is not used for tokens")
        return "EC", name
    if isinstance(key, ed25519.Ed25519PublicKey | ed25519.Ed25519PrivateKey):
        return "OKP", "Ed25519"
    for name, classes in _MLDSA.items():
        if isinstance(key, classes):
            return "AKP", name
    raise UnusableKey("this kind of key is not used for tokens")


def algorithms_of(key: object) -> tuple[str, ...]:
    """Return the algorithms a key object could be used with."""
    kty, crv = kind_of(key)
    return (crv,) if kty == "AKP" and crv is not None else names_for(kty, crv)


def mldsa_private(alg: str) -> Any:  # noqa: ANN401 - a class of an optional module
    """Return the private key class of an ML-DSA parameter set."""
    return _MLDSA[alg][1]


# --- reading --------------------------------------------------------------------------


def read_public(jwk: Mapping[str, Any]) -> Any:  # noqa: ANN401 - one of four key types
    """Return the public key object that the members describe, judged as an attacker's."""
    kty = jwk.get("kty")
    if kty == "RSA":
        n, e = _uint(jwk, "n"), _uint(jwk, "e")
        check_rsa(n, e)
        return rsa.RSAPublicNumbers(e, n).public_key()
    if kty == "EC":
        curve, size = _curve(jwk)
        x, y = (int.from_bytes(_octets(jwk, name, size), "big") for name in ("x", "y"))
        numbers = ec.EllipticCurvePublicNumbers(x, y, curve)
        key = numbers.public_key()
        if key.public_numbers() != numbers:
            # A coordinate at or above the field's prime is reduced on the way.
            raise UnusableKey("x and y must be smaller than the field's prime")
        return key
    if kty == "OKP":
        if jwk.get("crv") != "Ed25519":
            raise UnusableKey("crv must be Ed25519")
        raw = _octets(jwk, "x", 32)
        check_ed25519(raw)
        return ed25519.Ed25519PublicKey.from_public_bytes(raw)
    if kty == "AKP":
        return _mldsa(jwk)[0].from_public_bytes(_octets(jwk, "pub"))
    raise UnusableKey("kty is not that of a public key for signatures")


def read_private(jwk: Mapping[str, Any]) -> Any:  # noqa: ANN401 - one of four key types
    """Return the private key object; its public part must be the one the members state."""
    kty = jwk.get("kty")
    public = read_public(jwk)
    private: Any
    if kty == "RSA":
        private = _read_rsa(jwk)
    elif kty == "EC":
        curve, size = _curve(jwk)
        scalar = int.from_bytes(_octets(jwk, "d", size), "big")
        private = ec.derive_private_key(scalar, curve)
    elif kty == "OKP":
        private = ed25519.Ed25519PrivateKey.from_private_bytes(_octets(jwk, "d", 32))
    else:
        private = _mldsa(jwk)[1].from_seed_bytes(_octets(jwk, "priv", _SEED_BYTES))
    if private.public_key() != public:
        # CVE-2026-102275 elsewhere: a key that signs as one and is known as another.
        raise UnusableKey("the private and the public part are not of one key")
    return private


def check_private_part(jwk: Mapping[str, Any]) -> None:
    """Raise ``ValueError`` unless the private members belong to the public ones.

    For documents of others, whose private numbers are not going to be used: nothing here takes
    long, whatever the numbers are.
    """
    if jwk.get("kty") != "RSA":
        read_private(jwk)
        return
    n, e, d = (_uint(jwk, name) for name in ("n", "e", "d"))
    if d >= n:
        raise UnusableKey("the private and the public part are not of one key")
    if "p" in jwk or "q" in jwk:
        p, q = _uint(jwk, "p"), _uint(jwk, "q")
        if p * q != n or min(p, q) < _LEAST_PRIME or (e * d - 1) % (p - 1) or (e * d - 1) % (q - 1):
            raise UnusableKey("the private and the public part are not of one key")


def _read_rsa(jwk: Mapping[str, Any]) -> rsa.RSAPrivateKey:
    if "oth" in jwk:
        raise UnusableKey("RSA keys with more than two primes are not supported")
    n, e, d = (_uint(jwk, name) for name in ("n", "e", "d"))
    rest = ("p", "q", "dp", "dq", "qi")
    if any(name in jwk for name in rest):
        # RFC 7518 §6.3.2: with one of them, all must be there.
        p, q, dp, dq, qi = (_uint(jwk, name) for name in rest)
    else:
        p, q = rsa.rsa_recover_prime_factors(n, e, d)
        dp, dq, qi = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
    public = rsa.RSAPublicNumbers(e, n)
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key()


def _mldsa(jwk: Mapping[str, Any]) -> tuple[Any, Any]:
    found = _MLDSA.get(jwk["alg"]) if isinstance(jwk.get("alg"), str) else None
    if found is None:
        raise UnusableKey("alg must name an ML-DSA parameter set that is available here")
    return found


def _curve(jwk: Mapping[str, Any]) -> tuple[ec.EllipticCurve, int]:
    crv = jwk.get("crv")
    if not isinstance(crv, str) or crv not in CURVES:
        raise UnusableKey("crv must be P-256, P-384 or P-521")
    return CURVES[crv]


def _octets(jwk: Mapping[str, Any], name: str, size: int | None = None) -> bytes:
    value = jwk.get(name)
    if not isinstance(value, str):
        raise UnusableKey(f"{name} is missing or not a string")
    raw = b64url_decode(value)
    if size is not None and len(raw) != size:
        # RFC 7518 §6.2.1.2: leading zeros are kept, so the length says something too.
        raise UnusableKey(f"{name} must be exactly {size} bytes")
    return raw


def _uint(jwk: Mapping[str, Any], name: str) -> int:
    raw = _octets(jwk, name)
    if len(raw) > MAX_RSA_BITS // 8:
        raise UnusableKey(f"{name} is longer than any number of a key that is used")
    if not raw or raw[0] == 0:
        # RFC 7518 §2, Base64urlUInt: the minimum number of octets.
        raise UnusableKey(f"{name} must be a positive number without leading zeros")
    return int.from_bytes(raw, "big")


# --- writing --------------------------------------------------------------------------


def public_members(key: Any) -> dict[str, str]:  # noqa: ANN401 - one of four key types
    """Return the required public members, exactly those that a thumbprint is made of."""
    kty, crv = kind_of(key)
    if kty == "RSA":
        numbers = key.public_numbers()
        return {"kty": kty, "n": _uint_text(numbers.n), "e": _uint_text(numbers.e)}
    if kty == "EC" and crv is not None:
        numbers, size = key.public_numbers(), CURVES[crv][1]
        x, y = (b64url_encode(value.to_bytes(size, "big")) for value in (numbers.x, numbers.y))
        return {"kty": kty, "crv": crv, "x": x, "y": y}
    raw = b64url_encode(key.public_bytes_raw())
    if kty == "OKP":
        return {"kty": kty, "crv": str(crv), "x": raw}
    return {"kty": kty, "alg": str(crv), "pub": raw}


def private_members(key: Any) -> dict[str, str]:  # noqa: ANN401 - one of four key types
    """Return the private members that belong beside the public ones."""
    kty, crv = kind_of(key)
    if kty == "RSA":
        numbers = key.private_numbers()
        values = (numbers.d, numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)
        return dict(zip(("d", "p", "q", "dp", "dq", "qi"), map(_uint_text, values), strict=True))
    if kty == "EC" and crv is not None:
        scalar = key.private_numbers().private_value
        return {"d": b64url_encode(scalar.to_bytes(CURVES[crv][1], "big"))}
    return {"d" if kty == "OKP" else "priv": b64url_encode(key.private_bytes_raw())}


def _uint_text(value: int) -> str:
    return b64url_encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))
