"""Attacks on what a signature is: impossible numbers, bad points, and second spellings."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

import annul
from annul.core.encoding import b64url_decode, b64url_encode
from annul.errors import BadSignature, Malformed, TokenRejected
from tests.advisories.forgery import compact, genuine, header_of, refuses, trusted, verifier_of
from tests.signing import sample_claims

if TYPE_CHECKING:
    from collections.abc import Callable

HALF = {"ES256": 32, "ES384": 48, "ES512": 66}
ORDER = {
    "ES256": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "ES384": 2**384 - 0x389CB27E0BC8D220A7E5F24DB74F58851313E695333AD68D,
    "ES512": 2**521 - 0x5AE79787C40D069948033FEB708F65A2FC44A36477663B851449048E16EC79BF7,
}
P521_FIELD = 2**521 - 1
ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493

Numbers = tuple[int, int]


def taken_apart(token: str) -> tuple[str, bytes]:
    start, _dot, signature = token.rpartition(".")
    return start, b64url_decode(signature)


# --- ECDSA ------------------------------------------------------------------------------

NUMBERS: dict[str, Callable[[int, int, int], Numbers]] = {
    "cve_2022_21449_both_zero": lambda _r, _s, _n: (0, 0),
    "cve_2022_21449_r_zero": lambda _r, s, _n: (0, s),
    "cve_2022_21449_s_zero": lambda r, _s, _n: (r, 0),
    "cve_2022_21449_both_order": lambda _r, _s, n: (n, n),
    "cve_2022_21449_r_order": lambda _r, s, n: (n, s),
    "cve_2022_21449_s_order": lambda r, _s, n: (r, n),
    "cve_2019_14859_swapped": lambda r, s, _n: (s, r),
    "cve_2019_14859_r_negated": lambda r, s, n: (n - r, s),
    "cve_2019_14859_one": lambda _r, _s, _n: (1, 1),
}


@pytest.mark.parametrize("alg", HALF)
@pytest.mark.parametrize("change", NUMBERS.values(), ids=NUMBERS)
def test_impossible_numbers_are_no_signature(
    alg: str, change: Callable[[int, int, int], Numbers]
) -> None:
    key, half = trusted(alg), HALF[alg]
    token = genuine(key)
    start, raw = taken_apart(token)
    r, s = (int.from_bytes(part, "big") for part in (raw[:half], raw[half:]))

    new = b"".join(number.to_bytes(half, "big") for number in change(r, s, ORDER[alg]))

    attack = f"{start}.{b64url_encode(new)}"
    refuses(verifier_of(key.public).verify, attack, BadSignature, token)


@pytest.mark.parametrize("alg", HALF)
def test_cve_2024_42460_a_signature_has_one_length_and_one_form(alg: str) -> None:
    key, half = trusted(alg), HALF[alg]
    token = genuine(key)
    start, raw = taken_apart(token)
    r, s = (int.from_bytes(part, "big") for part in (raw[:half], raw[half:]))
    verify = verifier_of(key.public).verify
    wider = r.to_bytes(half + 1, "big") + s.to_bytes(half + 1, "big")

    for other in (
        encode_dss_signature(r, s),  # CVE-2024-42461: the form of certificates
        wider,
        b"\0" + raw,
        raw + b"\0",
        raw[:-1],
        raw[1:],
        raw[:half],
        raw + raw,
        b"",
    ):
        refuses(verify, f"{start}.{b64url_encode(other)}", BadSignature, token)


@pytest.mark.parametrize("alg", ["ES256", "ES512", "Ed25519", "RS256", "PS256"])
def test_cve_2019_14853_garbage_of_any_length_is_a_bad_signature(alg: str) -> None:
    key = trusted(alg)
    token = genuine(key)
    start, _raw = taken_apart(token)
    verify = verifier_of(key.public).verify
    source = random.Random(14853)

    for size in [*range(140), 255, 256, 257, 512, 4096]:
        for garbage in (source.randbytes(size), bytes(size), b"\xff" * size):
            with pytest.raises(BadSignature):
                verify(f"{start}.{b64url_encode(garbage)}")

    verify(token)


# --- Ed25519 and RSA --------------------------------------------------------------------


@pytest.mark.parametrize("times", range(1, 16))
def test_cve_2024_42459_s_is_below_the_order(times: int) -> None:
    key = trusted("Ed25519")
    token = genuine(key)
    start, raw = taken_apart(token)

    s = int.from_bytes(raw[32:], "little") + times * ED25519_ORDER
    if s >= 2**256:
        s -= 2**256  # it no longer fits; what is left of it is wrong as well

    attack = f"{start}.{b64url_encode(raw[:32] + s.to_bytes(32, 'little'))}"
    refuses(verifier_of(key.public).verify, attack, BadSignature, token)


def _with_leading_zero(key: annul.PrivateKey) -> str:
    for number in range(10_000):
        token = genuine(key, jti=f"t{number}")
        if taken_apart(token)[1][0] == 0:
            return token
    raise AssertionError("one signature in 256 starts with a zero")


@pytest.mark.parametrize("alg", ["RS256", "PS256"])
def test_rfc_8017_8_1_2_an_rsa_signature_is_as_long_as_the_modulus(alg: str) -> None:
    key = trusted(alg)
    token = _with_leading_zero(key)
    start, raw = taken_apart(token)
    verify = verifier_of(key.public).verify

    for other in (raw[1:], b"\0" + raw, raw.lstrip(b"\0")):
        refuses(verify, f"{start}.{b64url_encode(other)}", BadSignature, token)


@pytest.mark.parametrize("exponent", [1, 3, 17, 257])
def test_cve_2006_4339_small_exponents_are_not_trusted(exponent: int) -> None:
    modulus = trusted("RS256").public.to_jwk()["n"]
    weak = b64url_encode(exponent.to_bytes((exponent.bit_length() + 7) // 8, "big"))

    jwk = {"kty": "RSA", "n": modulus, "e": weak}

    assert len(annul.JWKS.from_json({"keys": [jwk]})) == 0
    assert len(annul.JWKS.from_json({"keys": [jwk | {"e": "AQAB"}]})) == 1


def test_cve_2006_4339_nothing_follows_the_digest() -> None:
    key = trusted("RS256")
    private = key._key
    assert isinstance(private, rsa.RSAPrivateKey)
    numbers = private.private_numbers()
    size = (private.key_size + 7) // 8

    def opened(signature: bytes) -> bytes:
        public = numbers.public_numbers
        number = pow(int.from_bytes(signature, "big"), public.e, public.n)
        return number.to_bytes(size, "big")

    def sloppy(data: bytes) -> bytes:
        # What PKCS #1 asks for, moved to the front; a careless reader stops after the digest.
        digest_info = opened(key.sign(data)).rpartition(b"\xff\0")[2]
        block = b"\0\1" + b"\xff" * 8 + b"\0" + digest_info
        number = int.from_bytes(block.ljust(size, b"\0"), "big")
        return pow(number, numbers.d, numbers.public_numbers.n).to_bytes(size, "big")

    attack = compact(header_of(key), sample_claims(), sloppy)
    refuses(verifier_of(key.public).verify, attack, BadSignature, genuine(key))


# --- points that are not on the curve ---------------------------------------------------


@pytest.mark.parametrize("alg", HALF)
def test_cve_2017_16007_a_point_off_the_curve_is_no_key(alg: str) -> None:
    half = HALF[alg]
    jwk = trusted(alg).public.to_jwk()
    points = [
        (bytes(half), bytes(half)),
        (b64url_decode(jwk["x"]), b64url_decode(jwk["x"])),
        (b64url_decode(jwk["y"]), b64url_decode(jwk["x"])),
        (bytes([0] * (half - 1) + [1]), bytes([0] * (half - 1) + [1])),
    ]

    for x, y in points:
        bad = jwk | {"x": b64url_encode(x), "y": b64url_encode(y)}
        assert len(annul.JWKS.from_json({"keys": [bad]})) == 0
    assert len(annul.JWKS.from_json({"keys": [jwk]})) == 1


@pytest.mark.parametrize("name", ["x", "y"])
def test_cve_2017_12974_a_coordinate_is_below_the_prime(name: str) -> None:
    jwk = trusted("ES512").public.to_jwk()
    value = int.from_bytes(b64url_decode(jwk[name]), "big") + P521_FIELD

    bad = jwk | {name: b64url_encode(value.to_bytes(66, "big"))}

    assert len(annul.JWKS.from_json({"keys": [bad]})) == 0


# --- second spellings -------------------------------------------------------------------

STRANGE = ["!", "=", "==", "+", "/", " ", "\n", "\r\n", "\t", "\0", ".", "%3D", "A", "~"]


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "Ed25519", "RS256"])
@pytest.mark.parametrize("strange", STRANGE, ids=repr)
def test_cve_2022_25898_no_character_is_skipped(alg: str, strange: str) -> None:
    key = trusted(alg)
    token = genuine(key, pad=".")
    verify = verifier_of(key.public).verify
    verify(token)

    for place in range(len(token) + 1):
        with pytest.raises(TokenRejected):
            verify(token[:place] + strange + token[place:])

    verify(token)


@pytest.mark.parametrize("length", range(6))
@pytest.mark.parametrize("alg", ["ES256", "ES512", "Ed25519", "RS256"])
def test_cve_2026_102269_a_token_has_one_spelling(alg: str, length: int) -> None:
    key = trusted(alg)
    token = genuine(key, pad="x" * length)
    verify = verifier_of(key.public).verify
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

    for end in (token.index("."), token.rindex("."), len(token)):
        for other in set(alphabet) - {token[end - 1]}:
            # Where the last character holds unused bits, lax decoders take several for one.
            with pytest.raises((Malformed, BadSignature)):
                verify(token[: end - 1] + other + token[end:])

    verify(token)
