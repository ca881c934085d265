# ruff: noqa: INP001 - scripts of this repository, not a package
"""The rows about signatures: every algorithm, and every way in which one can be almost right."""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tools.vector_rows import Row
from tools.vector_signing import CURVES, HASHES, b64, compact, pss_block, unb64

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tools.vector_signing import Signer

__all__ = ["rows_of_signatures"]

_ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493
_PAYLOAD = b"payload"


def rows_of_signatures(signers: dict[str, Signer]) -> Iterator[Row]:
    """Yield every row about signatures."""
    for alg, signer in signers.items():
        yield from _any_algorithm(alg, signer)
        if alg in CURVES:
            yield from _ecdsa(alg, signer)
    yield from _ed25519(signers["Ed25519"])
    for alg in ("RS256", "PS256", "PS512"):
        yield from _rsa(alg, signers[alg])
    yield from _confused(signers)


def _row(  # noqa: PLR0917 - the columns of a table, in their order
    name: str, alg: str, signer: Signer, token: str, expected: str, reason: str
) -> Row:
    return Row(f"signature: {alg}, {name}", signer.jwk, alg, token, expected, reason)


def _any_algorithm(alg: str, signer: Signer) -> Iterator[Row]:
    good = signer.token(signer.header(), _PAYLOAD)
    start, _dot, tail = good.rpartition(".")
    raw = unb64(tail)
    head = start.split(".")[0]
    yield _row("good", alg, signer, good, "accept", "")
    if signer.jwk["kty"] == "AKP":
        changed = {"one bit": raw[:-1] + bytes([raw[-1] ^ 1]), "one byte less": raw[:-1]}
    else:
        changed = {
            "first bit": bytes([raw[0] ^ 0x80]) + raw[1:],
            "last bit": raw[:-1] + bytes([raw[-1] ^ 1]),
            "one byte less": raw[:-1],
            "one byte more": raw + b"\0",
            "one zero in front": b"\0" + raw,
            "all zeros": bytes(len(raw)),
            "all ones": b"\xff" * len(raw),
            "half": raw[: len(raw) // 2],
            "twice": raw + raw,
            "nothing": b"",
        }
    for name, other in changed.items():
        token = f"{start}.{b64(other)}"
        yield _row(name, alg, signer, token, "reject", "the signature does not verify")
    for name, body in (("another payload", b"Payload"), ("no payload", b"")):
        token = f"{head}.{b64(body)}.{tail}"
        yield _row(name, alg, signer, token, "reject", "the signature is of something else")
    over = b64(signer.sign(_PAYLOAD)) if signer.jwk["kty"] != "AKP" else tail[::-1]
    yield _row("over the payload alone", alg, signer, f"{start}.{over}", "reject", "RFC 7515 §5.2")


def _ecdsa(alg: str, signer: Signer) -> Iterator[Row]:
    _curve, half, n = CURVES[alg]
    good = signer.token(signer.header(), _PAYLOAD)
    start, _dot, tail = good.rpartition(".")
    raw = unb64(tail)
    r, s = (int.from_bytes(part, "big") for part in (raw[:half], raw[half:]))
    top = 256**half
    numbers = {
        "r and s 0": (0, 0),
        "r 0": (0, s),
        "s 0": (r, 0),
        "r and s 1": (1, 1),
        "r n": (n, s),
        "s n": (r, n),
        "r and s n": (n, n),
        "r n-1": (n - 1, s),
        "s n-1": (r, n - 1),
        "r+n, as far as it fits": ((r + n) % top, s),
        "s+n, as far as it fits": (r, (s + n) % top),
        "r negated": (n - r, s),
        "swapped": (s, r),
        "greatest": (top - 1, top - 1),
    }
    for name, pair in numbers.items():
        other = b"".join(number.to_bytes(half, "big") for number in pair)
        token = f"{start}.{b64(other)}"
        yield _row(name, alg, signer, token, "reject", "1 <= r, s < n; RFC 7518 §3.4")
    # Nothing forbids the twin; what revocation is keyed on is therefore never the text.
    twin = r.to_bytes(half, "big") + (n - s).to_bytes(half, "big")
    yield _row("s negated", alg, signer, f"{start}.{b64(twin)}", "accept", "as good as the other")
    forms = {
        "DER": encode_dss_signature(r, s),
        "wider halves": r.to_bytes(half + 1, "big") + s.to_bytes(half + 1, "big"),
        "r alone": raw[:half],
        "hexadecimal": raw.hex().encode(),
    }
    for name, other in forms.items():
        yield _row(name, alg, signer, f"{start}.{b64(other)}", "reject", "RFC 7518 §3.4: R‖S")


def _ed25519(signer: Signer) -> Iterator[Row]:
    good = signer.token(signer.header(), _PAYLOAD)
    start, _dot, tail = good.rpartition(".")
    raw = unb64(tail)
    s = int.from_bytes(raw[32:], "little")
    changed = {
        f"S + {times}L": raw[:32] + (s + times * _ED25519_ORDER).to_bytes(32, "little")
        for times in (1, 2, 5, 14)
    }
    identity, minus_one = b"\1" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"
    changed |= {
        "R the identity, S 0": identity + bytes(32),
        "R of order two": minus_one + raw[32:],
        "R not canonical": b"\xee" + b"\xff" * 30 + b"\x7f" + raw[32:],
        "halves swapped": raw[32:] + raw[:32],
    }
    for name, other in changed.items():
        token = f"{start}.{b64(other)}"
        yield _row(name, signer.alg, signer, token, "reject", "RFC 8032 §5.1.7")
    forged = f"{start}.{b64(identity + bytes(32))}"
    for name, point in (("the identity", identity), ("of order two", minus_one)):
        weak = {**signer.jwk, "x": b64(point)}
        reason = "a key of small order verifies anything"
        yield Row(f"signature: key is {name}", weak, signer.alg, forged, "reject", reason)


def _rsa(alg: str, signer: Signer) -> Iterator[Row]:
    digest = HASHES[alg[-3:]]
    start = compact(signer.header(), _PAYLOAD)
    data = start.encode()
    size = signer.bits // 8

    def token(signature: bytes) -> str:
        return f"{start}.{b64(signature)}"

    others: dict[str, hashes.HashAlgorithm] = {**HASHES, "1": hashes.SHA1()}  # noqa: S303 - refused
    for name, other in others.items():
        if name == alg[-3:]:
            continue
        signature = signer.key.sign(data, padding.PKCS1v15(), other)
        yield _row(
            f"PKCS #1 with SHA-{name}", alg, signer, token(signature), "reject", "wrong hash"
        )
        signature = signer.apply(pss_block(data, other, other, other.digest_size, signer.bits))
        yield _row(f"PSS with SHA-{name}", alg, signer, token(signature), "reject", "wrong hash")
        signature = signer.apply(pss_block(data, digest, other, digest.digest_size, signer.bits))
        yield _row(f"MGF1 with SHA-{name}", alg, signer, token(signature), "reject", "wrong hash")
    most = size - digest.digest_size - 2
    for salt in (0, 1, 20, digest.digest_size - 1, digest.digest_size + 1, most):
        signature = signer.apply(pss_block(data, digest, digest, salt, signer.bits))
        reason = "RFC 7518 §3.5: the salt is as long as the hash"
        yield _row(f"PSS, salt of {salt}", alg, signer, token(signature), "reject", reason)
    padded = "PKCS1" if alg.startswith("PS") else "PSS"
    signature = signer.sign(data, ("RS" if padded == "PKCS1" else "PS") + alg[-3:])
    yield _row(f"{padded} instead", alg, signer, token(signature), "reject", "the other padding")
    for name, number in (("0", 0), ("1", 1), ("n-1", int.from_bytes(unb64(signer.jwk["n"])) - 1)):
        signature = number.to_bytes(size, "big")
        yield _row(f"the number {name}", alg, signer, token(signature), "reject", "no padding")
    yield from _shortened(alg, signer)


def _shortened(alg: str, signer: Signer) -> Iterator[Row]:
    # One signature in 256 begins with a zero; without it, it is another spelling of the same.
    for count in range(10_000):
        good = signer.token(signer.header(), f"payload {count}".encode())
        start, _dot, tail = good.rpartition(".")
        raw = unb64(tail)
        if raw[0] == 0:
            yield _row("leading zero", alg, signer, good, "accept", "")
            short = f"{start}.{b64(raw[1:])}"
            yield _row("leading zero left out", alg, signer, short, "reject", "RFC 8017 §8.1.2")
            return


def _confused(signers: dict[str, Signer]) -> Iterator[Row]:
    for alg, named in (
        ("RS256", "PS256"), ("RS256", "RS512"), ("PS256", "RS256"), ("ES256", "ES384"),
        ("ES384", "ES256"), ("Ed25519", "EdDSA"), ("EdDSA", "Ed25519"), ("ES256", "RS256"),
        ("ES512", "Ed25519"), ("Ed25519", "ES256"),
    ):  # fmt: skip
        signer = signers[alg]
        token = signer.token(signer.header(alg=named), _PAYLOAD)
        reason = "RFC 8725 §3.1: one key, one algorithm"
        row = _row(f"header says {named}", alg, signer, token, "reject", reason)
        yield row
        yield row._replace(id=row.id + ", and is trusted", alg=named)
    for alg in ("RS256", "ES256", "Ed25519"):
        signer = signers[alg]
        for name, secret in (("its JWK", json.dumps(signer.jwk).encode()), ("nothing", b"")):
            for said in ("HS256", alg):
                start = compact(signer.header(alg=said), _PAYLOAD)
                made = hmac.digest(secret, start.encode(), "sha256")
                shown = f"HMAC with {name} as {said}"
                token = f"{start}.{b64(made)}"
                yield _row(shown, alg, signer, token, "reject", "RFC 8725 §2.1: public, not secret")
