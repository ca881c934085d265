"""Ed25519 keys from an attacker: points of small order, second spellings, no points at all."""

from __future__ import annotations

from base64 import encodebytes

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

import annul
from annul.core.encoding import b64url_decode, b64url_encode
from annul.core.jws import sign
from annul.core.key_checks import UnusableKey, check_ed25519
from tests.core.edwards import (
    IDENTITY,
    ORDER,
    P,
    add,
    encoded,
    encoded_point,
    roots,
    small_order_points,
    times,
)
from tests.core.sample_keys import private_key


def is_usable(raw: bytes) -> bool:
    try:
        check_ed25519(raw)
    except UnusableKey:
        return False
    return True


def jwk(raw: bytes, **more: object) -> dict[str, object]:
    return {"kty": "OKP", "crv": "Ed25519", "x": b64url_encode(raw)} | more


# All y of small order, each with both signs: eight of these are the canonical encodings, and the
# others name a point of small order by a sign that x = 0 does not have.
SMALL = sorted({encoded(y, sign) for _, y in small_order_points() for sign in (0, 1)})
# Every y that can be written in 255 bits and is not below p.
NOT_CANONICAL = [encoded(y, sign) for y in range(P, 2**255) for sign in (0, 1)]


def test_there_are_eight_points_of_small_order() -> None:
    points = small_order_points()

    assert len(points) == 8
    assert len({encoded_point(point) for point in points}) == 8
    assert {encoded_point(point) for point in points} < set(SMALL)
    assert all(times(8, point) == IDENTITY for point in points)
    assert len(SMALL) == 10
    assert len(NOT_CANONICAL) == 38


@pytest.mark.parametrize("raw", [*SMALL, *NOT_CANONICAL], ids=bytes.hex)
def test_a_point_of_small_order_or_with_a_second_spelling_is_refused(raw: bytes) -> None:
    assert not is_usable(raw)
    with pytest.raises(annul.InvalidKey):
        annul.PublicKey.from_jwk(jwk(raw))
    assert len(annul.JWKS.from_json({"keys": [jwk(raw, kid="weak")]})) == 0


def pem(raw: bytes) -> bytes:
    # RFC 8410 §4: the same twelve bytes stand before the point in every such file.
    der = bytes.fromhex("302a300506032b6570032100") + raw
    return b"-----BEGIN PUBLIC KEY-----\n%b-----END PUBLIC KEY-----\n" % encodebytes(der)


@pytest.mark.parametrize("raw", SMALL, ids=bytes.hex)
def test_a_point_of_small_order_is_refused_in_pem_and_as_an_object_too(raw: bytes) -> None:
    with pytest.raises(annul.InvalidKey):
        annul.PublicKey(Ed25519PublicKey.from_public_bytes(raw))
    with pytest.raises(annul.InvalidKey):
        annul.PublicKey.from_pem(pem(raw))


def test_an_honest_point_is_taken_in_the_same_kinds_of_file() -> None:
    honest = private_key("Ed25519").public
    raw = b64url_decode(honest.to_jwk()["x"])

    assert pem(raw) == honest.to_pem()
    assert annul.PublicKey.from_pem(pem(raw)).kid == honest.kid
    assert annul.PublicKey.from_jwk(jwk(raw)).kid == honest.kid


def test_the_identity_key_under_which_anything_verifies_is_refused() -> None:
    identity = encoded_point(IDENTITY)
    # R is the identity and S is 0: the equation S·B = R + k·A then holds for every message.
    forged = identity + bytes(32)
    Ed25519PublicKey.from_public_bytes(identity).verify(forged, b"any message at all")

    honest = private_key("Ed25519")
    jwks = annul.JWKS.from_json(
        {"keys": [jwk(identity, kid="identity"), honest.public.to_jwk()]},
    )
    head = b64url_encode(b'{"alg":"Ed25519","kid":"identity"}')
    body = b64url_encode(b'{"sub":"admin"}')

    assert [key.kid for key in jwks] == [honest.kid]
    with pytest.raises(annul.UnknownKey):
        annul.jws.verify(f"{head}.{body}.{b64url_encode(forged)}", jwks, algorithms=("Ed25519",))


@pytest.mark.parametrize("small", sorted(small_order_points()), ids=str)
def test_a_signature_with_s_plus_the_order_is_refused(small: tuple[int, int]) -> None:
    # RFC 8032 §5.1.7: S must be below the order, or each signature has a second spelling. And
    # what is forged with R of small order verifies under no honest key.
    key = private_key("Ed25519")
    header = b64url_encode(b'{"alg":"Ed25519"}').encode()
    head, body, signature = sign(header, b"{}", key).split(".")
    raw = b64url_decode(signature)
    s = int.from_bytes(raw[32:], "little") + ORDER
    jwks = annul.JWKS([key.public])

    for wrong in (raw[:32] + s.to_bytes(32, "little"), encoded_point(small) + bytes(32)):
        with pytest.raises(annul.BadSignature):
            annul.jws.verify(f"{head}.{body}.{b64url_encode(wrong)}", jwks, algorithms=("Ed25519",))


@settings(deadline=None, max_examples=150)
@given(st.integers(0, 2**255 - 1), st.sampled_from([0, 1]))
def test_a_key_is_usable_if_its_y_belongs_to_a_point_of_large_order(y: int, sign: int) -> None:
    small = {found for _, found in small_order_points()}

    assert is_usable(encoded(y, sign)) == (y < P and y not in small and bool(roots(y)))


@settings(deadline=None, max_examples=20)
@given(st.integers(1, ORDER - 1))
def test_honest_points_are_usable_with_either_sign(number: int) -> None:
    base = next((x, y) for y in (4 * pow(5, P - 2, P) % P,) for x in roots(y) if x % 2 == 0)
    x, y = times(number, base)

    assert is_usable(encoded_point((x, y)))
    assert is_usable(encoded_point((-x % P, y)))


def test_a_point_with_a_part_of_small_order_is_not_mistaken_for_one_of_small_order() -> None:
    y = next(y for y in range(2, 50) if roots(y))
    point = times(8, (min(roots(y)), y))
    for small in small_order_points():
        assert is_usable(encoded_point(add(point, small)))


@pytest.mark.parametrize("size", [0, 1, 31, 33, 57, 64])
def test_a_key_of_another_length_is_refused(size: int) -> None:
    assert not is_usable(b"\x09" * size)
    with pytest.raises(annul.InvalidKey):
        annul.PublicKey.from_jwk(jwk(b"\x09" * size))


@pytest.mark.parametrize("crv", ["X25519", "Ed448", "ed25519", "P-256", "", None, 1, ["Ed25519"]])
def test_an_okp_key_of_another_curve_is_refused(crv: object) -> None:
    # RFC 8037 §2: X25519 keys must not sign.
    good = private_key("Ed25519").public.to_jwk()
    with pytest.raises(annul.InvalidKey):
        annul.PublicKey.from_jwk(good | {"crv": crv})
