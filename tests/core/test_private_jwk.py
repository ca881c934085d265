"""Private JWKs: both parts must be of one key, and none of it may leave by accident."""

from __future__ import annotations

import json
from typing import Any

import pytest

import annul
from annul.core.encoding import b64url_decode, b64url_encode
from tests.core.sample_keys import EC_ALGS, EVERY_ALG, other_key, private_key

PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "priv")
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def refused(jwk: Any, kind: Any = annul.PrivateKey) -> bool:  # noqa: ANN401 - anything that JSON can say
    try:
        kind.from_jwk(jwk)
    except annul.InvalidKey:
        return True
    return False


def number(text: str) -> int:
    return int.from_bytes(b64url_decode(text), "big")


def text(value: int) -> str:
    return b64url_encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


@pytest.mark.parametrize("alg", EVERY_ALG)
def test_a_private_key_is_written_and_read_back_as_itself(alg: str) -> None:
    key = private_key(alg)
    again = annul.PrivateKey.from_jwk(json.loads(json.dumps(key.to_jwk())))

    assert (again.kid, again.alg) == (key.kid, alg)
    assert again.to_pem() == key.to_pem()
    key.public.check(alg)(again.sign(b"data"), b"data")


@pytest.mark.parametrize("alg", EVERY_ALG)
def test_the_private_part_of_another_key_is_refused(alg: str) -> None:
    # A key that signs as one and is known as another.
    mine, other = private_key(alg).to_jwk(), other_key(alg).to_jwk()
    swapped = mine | {name: other[name] for name in PRIVATE if name in other}

    assert refused(swapped)
    assert refused(swapped, annul.PublicKey)
    assert len(annul.JWKS.from_json({"keys": [swapped]})) == 0


@pytest.mark.parametrize("alg", EVERY_ALG)
def test_a_public_key_without_a_private_part_cannot_sign(alg: str) -> None:
    assert refused(private_key(alg).public.to_jwk())


@pytest.mark.parametrize("alg", EVERY_ALG)
def test_a_whole_private_jwk_gives_the_public_key_and_keeps_nothing_of_the_rest(alg: str) -> None:
    key = annul.PublicKey.from_jwk(private_key(alg).to_jwk())

    assert key == private_key(alg).public
    assert not set(PRIVATE) & set(key.to_jwk())


@pytest.mark.parametrize("value", [None, 1, "", "AA", "!", [], {}, "AAAA="], ids=repr)
@pytest.mark.parametrize("alg", ["ES256", "Ed25519", "ML-DSA-44", "RS256"])
def test_a_private_member_that_is_none_is_refused(alg: str, value: object) -> None:
    if alg not in EVERY_ALG:
        pytest.skip("this cryptography has no ML-DSA")
    jwk: dict[str, Any] = private_key(alg).to_jwk()
    for name in set(PRIVATE) & set(jwk):
        assert refused(jwk | {name: value})


# --- EC -------------------------------------------------------------------------------


@pytest.mark.parametrize("alg", EC_ALGS)
def test_a_scalar_has_the_full_length_of_the_curve(alg: str) -> None:
    # RFC 7518 §6.2.2.1
    jwk = private_key(alg).to_jwk()
    raw = b64url_decode(jwk["d"])

    for wrong in (raw[1:], raw[:-1], b"\0" + raw, raw + b"\0", bytes(len(raw)), b"\xff" * len(raw)):
        assert refused(jwk | {"d": b64url_encode(wrong)})


def test_a_scalar_that_is_only_equal_modulo_the_order_is_refused() -> None:
    jwk = private_key("ES256").to_jwk()
    d = number(jwk["d"])

    assert refused(jwk | {"d": b64url_encode((P256_ORDER - d).to_bytes(32, "big"))})
    assert refused(jwk | {"d": b64url_encode(P256_ORDER.to_bytes(32, "big"))})


# --- RSA ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["d", "p", "q", "dp", "dq", "qi"])
def test_an_rsa_number_that_is_off_by_two_is_refused(name: str) -> None:
    jwk = private_key("RS256").to_jwk()

    assert refused(jwk | {name: text(number(jwk[name]) + 2)})
    assert refused(jwk | {name: text(number(jwk[name]) - 2)})


@pytest.mark.parametrize("name", ["n", "d", "p", "q", "dp", "dq", "qi"])
def test_an_rsa_number_with_leading_zeros_is_refused(name: str) -> None:
    # RFC 7518 §2, Base64urlUInt
    jwk = private_key("RS256").to_jwk()
    assert refused(jwk | {name: b64url_encode(b"\0" + b64url_decode(jwk[name]))})


@pytest.mark.parametrize("name", ["p", "q", "dp", "dq", "qi"])
def test_of_the_numbers_that_only_save_time_all_or_none_are_there(name: str) -> None:
    # RFC 7518 §6.3.2
    jwk = private_key("RS256").to_jwk()
    assert refused({other: jwk[other] for other in jwk if other != name})


def test_an_rsa_key_of_three_numbers_is_completed() -> None:
    key = private_key("RS256")
    jwk = key.to_jwk()
    short = {name: jwk[name] for name in ("kty", "n", "e", "d")}
    again = annul.PrivateKey.from_jwk(short)

    assert again.kid == key.kid
    key.public.check("RS256")(again.sign(b"data"), b"data")
    assert refused(short | {"d": other_key("RS256").to_jwk()["d"]})


@pytest.mark.parametrize(
    "factors", [{"p": "AQ"}, {"q": "AQ"}, {"p": "Ag"}, {"p": "AQ", "q": "AQ"}], ids=str
)
def test_a_document_whose_factors_are_not_those_of_the_modulus_is_refused(
    factors: dict[str, str],
) -> None:
    jwk = private_key("RS256").to_jwk()

    assert refused(jwk | factors, annul.PublicKey)
    # One and the modulus itself multiply to the modulus, but they are not its factors.
    assert refused(jwk | {"p": "AQ", "q": jwk["n"]}, annul.PublicKey)
    assert refused(jwk | {"p": jwk["n"], "q": "AQ"})


def test_more_than_two_primes_are_refused() -> None:
    jwk: dict[str, Any] = private_key("RS256").to_jwk()
    assert refused(jwk | {"oth": [{"r": "AQ", "d": "AQ", "t": "AQ"}]})


# --- use and operations ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("operations", "signs", "verifies"),
    [
        (["sign"], True, True),
        (["sign", "verify"], True, True),
        (["verify"], False, True),
        ([], False, False),
        (["sign", "sign"], False, False),
        (["sign", "unwrapKey"], False, False),
    ],
)
def test_key_ops_of_a_private_key_are_honoured(
    operations: list[str], signs: bool, verifies: bool
) -> None:
    jwk: dict[str, Any] = private_key("ES256").to_jwk() | {"key_ops": operations}

    assert refused(jwk) != signs
    assert refused(jwk, annul.PublicKey) != verifies


def test_a_foreign_name_does_not_become_the_name_of_a_key_of_ours() -> None:
    key = private_key("ES256")
    assert annul.PrivateKey.from_jwk(key.to_jwk() | {"kid": "mine"}).kid == key.kid


@pytest.mark.parametrize("alg", ["PS256", "none", "HS256", "ES384", 1])
def test_alg_of_a_private_key_is_honoured(alg: object) -> None:
    jwk: dict[str, Any] = private_key("RS256").to_jwk() | {"alg": alg}
    if alg == "PS256":
        assert annul.PrivateKey.from_jwk(jwk).alg == "PS256"
    else:
        assert refused(jwk)
