# ruff: noqa: INP001 - scripts of this repository, not a package
"""The rows about keys: good signatures whose JWK or JWK Set is not as it has to be, or just odd."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.vector_rows import Row, shown
from tools.vector_signing import CURVES, b64, unb64

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tools.vector_signing import Signer

__all__ = ["rows_of_keys"]

_ED25519_P = 2**255 - 19
_P521 = 2**521 - 1

_COMMON: dict[str, dict[str, list[Any]]] = {
    "accept": {
        "use": [...],
        "alg": [...],
        "kid": [...],
        "key_ops": [["verify"], ["verify", "sign"]],
        "x5c": [["AAAA"]],
        "x5t": ["AAAA"],
        "ext": [True],
        "unknown": [{"a": [1]}],
    },
    "reject": {
        "kty": [..., None, "", "oct", "RSA", "OKP", "ec", 1, ["EC"]],
        "crv": [..., None, "", "P-384", "p-256", "secp256k1", "Ed25519", 1],
        "use": [None, "", "enc", "SIG", True, ["sig"]],
        "key_ops": [None, [], ["sign"], ["encrypt"], ["verify", "encrypt"], ["verify", "verify"],
                    "verify", {"verify": 1}, [1]],
        "alg": [None, "", "HS256", "none", "ES384", "RS256", "es256", True, ["ES256"]],
        "kid": [None, "", "other", "x" * 257, "a\0b", 1, ["x"]],
        "d": [None, 1, "", "AA"],
    },
}  # fmt: skip


def rows_of_keys(signers: dict[str, Signer], stranger: Signer) -> Iterator[Row]:
    """Yield every row about keys."""
    signer = signers["ES256"]
    for expected, table in _COMMON.items():
        for name, values in table.items():
            for value in values:
                yield _row(signer, f"{name} {shown(value)}", {name: value}, expected)
    for alg in CURVES:
        yield from _points(alg, signers[alg])
    yield from _numbers(signers["RS256"])
    yield from _okp(signers["Ed25519"])
    yield from _sets(signer, stranger)


def _row(signer: Signer, name: str, changed: Mapping[str, Any], expected: str) -> Row:
    jwk = {key: value for key, value in {**signer.jwk, **changed}.items() if value is not ...}
    token = signer.token(signer.header(), b"payload")
    return Row(f"key: {signer.alg}, {name}", jwk, signer.alg, token, expected, "RFC 7517 §4")


def _points(alg: str, signer: Signer) -> Iterator[Row]:
    half = CURVES[alg][1]
    x, y = (unb64(signer.jwk[name]) for name in ("x", "y"))
    points: dict[str, dict[str, Any]] = {
        "the origin": {"x": b64(bytes(half)), "y": b64(bytes(half))},
        "off the curve": {"y": b64(y[:-1] + bytes([y[-1] ^ 1]))},
        "coordinates swapped": {"x": b64(y), "y": b64(x)},
        "x too long": {"x": b64(b"\0" + x)},
        "x too short": {"x": b64(x[1:])},
        "x beyond the field": {"x": b64(b"\xff" * half)},
        "x padded": {"x": signer.jwk["x"] + "="},
        "x of another type": {"x": [signer.jwk["x"]]},
        "y absent": {"y": ...},
        "y null": {"y": None},
    }
    if alg == "ES512":
        for name, value in (("x", x), ("y", y)):
            larger = int.from_bytes(value, "big") + _P521
            points[f"{name} not reduced"] = {name: b64(larger.to_bytes(half, "big"))}
    for name, changed in points.items():
        yield _row(signer, name, changed, "reject")


def _numbers(signer: Signer) -> Iterator[Row]:
    n = unb64(signer.jwk["n"])
    number = int.from_bytes(n, "big")
    root = 1 << (signer.bits // 2)
    changed: dict[str, dict[str, Any]] = {
        f"e {e}": {"e": b64(e.to_bytes((e.bit_length() + 7) // 8 or 1, "big"))}
        for e in (0, 1, 2, 3, 17, 257, 65_536, 65_538, 2**32 + 1, 2**64 + 13)
    }
    changed |= {
        "e with a zero in front": {"e": b64(b"\0\1\0\1")},
        "e padded": {"e": "AQAB="},
        "e a number": {"e": 65_537},
        "e absent": {"e": ...},
        "n with a zero in front": {"n": b64(b"\0" + n)},
        "n padded": {"n": signer.jwk["n"] + "="},
        "n in plain base64": {"n": signer.jwk["n"].replace("-", "+").replace("_", "/")},
        "n absent": {"n": ...},
        "n empty": {"n": ""},
        "n 0": {"n": b64(bytes(256))},
        "n even": {"n": b64((number - 1).to_bytes(len(n), "big"))},
        "n of 1,024 bits": {"n": b64(n[-128:])},
        "n of 2,047 bits": {"n": b64(b"\x7f" + n[1:])},
        "n of 20,000 bits": {"n": b64(b"\xff" * 2500)},
        "n a square": {"n": b64(((root - 1) ** 2).to_bytes(len(n), "big"))},
        "n of neighbours": {"n": b64(((root - 1) * (root - 3)).to_bytes(len(n), "big"))},
        "n all ones": {"n": b64(b"\xff" * len(n))},
    }
    for name, members in changed.items():
        yield _row(signer, name, members, "reject")


def _okp(signer: Signer) -> Iterator[Row]:
    x = unb64(signer.jwk["x"])
    order_eight = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
    ys = {
        "y 0": 0,
        "y 1": 1,
        "y -1": _ED25519_P - 1,
        "y of order eight": order_eight,
        "y of order eight, negated": _ED25519_P - order_eight,
        "y p": _ED25519_P,
        "y p+1": _ED25519_P + 1,
        "y 2, not on the curve": 2,
        "y all ones": 2**255 - 1,
    }
    for name, y in ys.items():
        for sign in (0, 1 << 255):
            point = b64((y | sign).to_bytes(32, "little"))
            yield _row(signer, f"{name}, sign {int(bool(sign))}", {"x": point}, "reject")
    for name, changed in {
        "one byte less": {"x": b64(x[1:])},
        "one byte more": {"x": b64(x + b"\0")},
        "crv X25519": {"crv": "X25519"},
        "crv Ed448": {"crv": "Ed448"},
        "the other sign": {"x": b64(x[:-1] + bytes([x[-1] ^ 0x80]))},
    }.items():
        yield _row(signer, name, changed, "reject")


def _sets(signer: Signer, stranger: Signer) -> Iterator[Row]:
    good, other = dict(signer.jwk), dict(stranger.jwk)
    unusable: list[Any] = [
        None,
        "x",
        {},
        {"kty": "oct", "k": "AAAA"},
        {"kty": "OKP", "crv": "X25519", "x": b64(bytes(32))},
        {"kty": "future"},
        {**good, "use": "enc"},
        {**other, "x": "AAAA"},
    ]
    named = signer.token(signer.header(), b"payload")
    nameless = signer.token(signer.header(kid=...), b"payload")
    foreign = stranger.token(stranger.header(), b"payload")
    sets: list[tuple[str, list[Any], str, str]] = [
        ("one key", [good], named, "accept"),
        ("two keys", [other, good], named, "accept"),
        ("no kid, one key", [good], nameless, "accept"),
        ("no kid, two keys", [good, other], nameless, "reject"),
        ("no keys", [], named, "reject"),
        ("another key only", [other], named, "reject"),
        ("signed by a stranger", [good], foreign, "reject"),
        ("two of one name", [good, {**other, "kid": good["kid"]}], named, "reject"),
        ("stranger under our name", [{**other, "kid": good["kid"]}], named, "reject"),
    ]
    for number, member in enumerate(unusable):
        sets.append((f"unusable member {number}", [member, good], named, "accept"))
        sets.append((f"unusable member {number}, no kid", [good, member], nameless, "accept"))
        sets.append((f"unusable member {number} alone", [member], named, "reject"))
    for name, keys, token, expected in sets:
        jwks = {"keys": keys}
        yield Row(f"key set: {name}", jwks, signer.alg, token, expected, "RFC 7517 §5")
