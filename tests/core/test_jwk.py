"""Public JWKs: what is written, what is read, and what its members forbid."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, x25519

import annul
from annul.core.encoding import b64url_decode, b64url_encode
from tests.core.sample_keys import EVERY_ALG, private_key

EC_SIZES = {"ES256": 32, "ES384": 48, "ES512": 66}


def public_jwk(alg: str = "ES256", /, **more: object) -> dict[str, Any]:
    return {**private_key(alg).public.to_jwk(), **more}


def refused(jwk: Any) -> bool:  # noqa: ANN401 - anything that JSON can say
    try:
        annul.PublicKey.from_jwk(jwk)
    except annul.InvalidKey:
        return True
    return False


# --- writing --------------------------------------------------------------------------


@pytest.mark.parametrize("alg", EVERY_ALG)
def test_a_public_key_is_written_and_read_back_as_itself(alg: str) -> None:
    key = private_key(alg).public
    again = annul.PublicKey.from_jwk(json.loads(json.dumps(key.to_jwk())))

    assert again == key
    assert hash(again) == hash(key)
    assert again.algorithms == (alg,)
    assert again.to_jwk() == key.to_jwk()


@pytest.mark.parametrize("alg", EVERY_ALG)
def test_no_private_member_is_ever_in_a_public_key(alg: str) -> None:
    # JWK-01
    jwk = private_key(alg).public.to_jwk()

    assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} & set(jwk)
    assert jwk["use"] == "sig"
    assert jwk["kid"] == private_key(alg).kid


def test_the_usual_exponent_is_written_as_aqab() -> None:
    # JWK-03, RFC 7518 §6.3.1.2
    assert public_jwk("RS256")["e"] == "AQAB"


@pytest.mark.parametrize(
    ("curve", "alg"),
    [(ec.SECP256R1(), "ES256"), (ec.SECP384R1(), "ES384"), (ec.SECP521R1(), "ES512")],
)
@pytest.mark.parametrize("name", ["x", "y"])
def test_leading_zeros_of_a_coordinate_are_kept(
    curve: ec.EllipticCurve, alg: str, name: str
) -> None:
    # JWK-02, RFC 7518 §6.2.1.2; on P-521 seven leading bits are zero anyway.
    size = EC_SIZES[alg]
    bits = 8 * size - 15 if alg == "ES512" else 8 * size - 8
    for scalar in range(1, 20_000):
        key = ec.derive_private_key(scalar, curve).public_key()
        if getattr(key.public_numbers(), name).bit_length() <= bits:
            break
    jwk: dict[str, str] = annul.PublicKey(key).to_jwk()

    assert len(b64url_decode(jwk[name])) == size
    assert b64url_decode(jwk[name])[0] == 0
    assert annul.PublicKey.from_jwk(jwk).to_jwk() == jwk
    assert refused(jwk | {name: b64url_encode(b64url_decode(jwk[name])[1:])})


# --- numbers that are no key ----------------------------------------------------------


@pytest.mark.parametrize("alg", EC_SIZES)
def test_what_is_not_a_point_of_the_curve_is_refused(alg: str) -> None:
    # The invalid curve attack; RFC 8725 §3.4.
    jwk, size = public_jwk(alg), EC_SIZES[alg]
    y = bytearray(b64url_decode(jwk["y"]))
    y[-1] ^= 1
    zero, ones = b64url_encode(bytes(size)), b64url_encode(b"\xff" * size)

    assert refused(jwk | {"y": b64url_encode(bytes(y))})
    assert refused(jwk | {"x": jwk["y"], "y": jwk["x"]})
    assert refused(jwk | {"x": zero, "y": zero})
    assert refused(jwk | {"y": zero})
    assert refused(jwk | {"x": ones, "y": ones})


def test_a_coordinate_beyond_the_prime_of_the_field_is_refused() -> None:
    # The same point in a second spelling: 66 bytes have room for it.
    jwk = public_jwk("ES512")
    for name in ("x", "y"):
        number = int.from_bytes(b64url_decode(jwk[name]), "big") + 2**521 - 1
        assert refused(jwk | {name: b64url_encode(number.to_bytes(66, "big"))})


@pytest.mark.parametrize("alg", EC_SIZES)
@pytest.mark.parametrize("crv", ["P-256", "P-384", "P-521"])
def test_a_point_of_one_curve_is_refused_on_another(alg: str, crv: str) -> None:
    jwk = public_jwk(alg)
    del jwk["alg"]
    assert refused(jwk | {"crv": crv}) == (crv != jwk["crv"])


@pytest.mark.parametrize(
    ("alg", "name"),
    [
        ("ES256", "x"),
        ("ES384", "y"),
        ("ES512", "x"),
        ("Ed25519", "x"),
        ("RS256", "n"),
        ("RS256", "e"),
    ],
)
def test_a_number_has_exactly_its_length_and_encoding(alg: str, name: str) -> None:
    # JWS-12, RFC 7518 §2: minimal for RSA; §6.2.1.2: full length for EC.
    jwk = public_jwk(alg)
    good = b64url_decode(jwk[name])

    assert not refused(jwk)
    for wrong in (b"", good[:-1], good[1:], b"\0" + good, good + b"\0", b"\0", bytes(9)):
        assert refused(jwk | {name: b64url_encode(wrong)})
    for junk in ("=", "==", "\n", "\r\n", " ", "\0"):
        assert refused(jwk | {name: jwk[name] + junk})
        assert refused(jwk | {name: junk + jwk[name]})
    assert refused(jwk | {name: jwk[name][:-2] + "+/"})


@pytest.mark.parametrize("alg", ["ES256", "Ed25519", "RS256"])
@pytest.mark.parametrize("value", [None, 1, 65_537, 1.5, True, [], ["AQAB"], {}, b"AQAB"], ids=repr)
def test_a_member_of_another_type_or_none_at_all_is_refused(alg: str, value: object) -> None:
    jwk = public_jwk(alg)
    for name in {"kty", "crv", "x", "y", "n", "e"} & set(jwk):
        assert refused(jwk | {name: value})
        assert refused({other: jwk[other] for other in jwk if other != name})


@pytest.mark.parametrize("kty", ["oct", "ec", "rsa", "RSA ", "EC2", "", "AKP", "okp"])
def test_another_type_of_key_is_refused(kty: str) -> None:
    assert refused(public_jwk("ES256", kty=kty))
    assert refused({"kty": kty, "k": "AAAA"})


@pytest.mark.parametrize("jwk", [None, 1, "{}", b"{}", [], ["kty", "EC"], {}], ids=repr)
def test_what_is_not_a_key_at_all_is_refused(jwk: object) -> None:
    assert refused(jwk)


def test_names_that_only_look_alike_are_other_names() -> None:
    # RFC 7517 §4: unknown members are ignored, and names are compared by code point.
    jwk = public_jwk("ES256")
    look_alikes = {
        "X": "AA",
        "x ": "AA",
        "\u0445": "AA",
        "Kid": "other",
        "KTY": "RSA",
        "ALG": "none",
    }

    assert annul.PublicKey.from_jwk(jwk | look_alikes) == private_key("ES256").public
    assert refused({"X" if name == "x" else name: jwk[name] for name in jwk})


# --- objects --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        ec.generate_private_key(ec.BrainpoolP256R1()).public_key(),
        x25519.X25519PrivateKey.generate().public_key(),
        b"secret",
        None,
    ],
    ids=["secp256k1", "brainpool", "X25519", "bytes", "nothing"],
)
def test_an_object_that_is_no_public_key_for_tokens_is_refused(key: object) -> None:
    with pytest.raises(annul.InvalidKey):
        annul.PublicKey(key)


def test_neither_repr_nor_pickle_gives_a_private_key_away() -> None:
    key = private_key("ES256")
    with pytest.raises(TypeError):
        pickle.dumps(key)
    assert key.to_jwk()["d"] not in repr(key)
