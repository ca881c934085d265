"""ECDSA signatures from JOSE to DER and back, against the encoder of ``cryptography``."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.ecdsa import der_from_raw, raw_from_der

HALVES = (32, 48, 66)
CURVES: list[tuple[ec.EllipticCurve, int]] = [
    (ec.SECP256R1(), 32),
    (ec.SECP384R1(), 48),
    (ec.SECP521R1(), 66),
]


def raw(r: int, s: int, half: int) -> bytes:
    return r.to_bytes(half, "big") + s.to_bytes(half, "big")


@st.composite
def signatures(draw: st.DrawFn) -> tuple[int, int, int]:
    half = draw(st.sampled_from(HALVES))
    # Lengths are drawn first, so that short numbers are as frequent as long ones.
    r, s = (draw(st.integers(0, 256 ** draw(st.integers(0, half)) - 1)) for _ in range(2))
    return r, s, half


@settings(deadline=None, max_examples=500)
@given(signatures())
def test_der_is_written_as_the_general_encoder_writes_it(signature: tuple[int, int, int]) -> None:
    r, s, half = signature

    assert der_from_raw(raw(r, s, half), half) == encode_dss_signature(r, s)


@settings(deadline=None, max_examples=500)
@given(signatures())
def test_der_of_the_general_encoder_is_read_back(signature: tuple[int, int, int]) -> None:
    r, s, half = signature

    assert raw_from_der(encode_dss_signature(r, s), half) == raw(r, s, half)


@pytest.mark.parametrize("half", HALVES)
@pytest.mark.parametrize("r", [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000])
def test_every_sign_bit_and_leading_zero_survives_both_ways(r: int, half: int) -> None:
    top = 256**half - 1
    for first, second in ((r, top), (top, r), (r, r), (top >> 1, r), (top >> 8, top >> 7)):
        der = der_from_raw(raw(first, second, half), half)

        assert der == encode_dss_signature(first, second)
        assert decode_dss_signature(der) == (first, second)
        assert raw_from_der(der, half) == raw(first, second, half)


@pytest.mark.parametrize(("curve", "half"), CURVES, ids=lambda value: getattr(value, "name", None))
def test_a_real_signature_verifies_after_going_there_and_back(
    curve: ec.EllipticCurve, half: int
) -> None:
    key = ec.generate_private_key(curve)
    how = ec.ECDSA(hashes.SHA256())
    for number in range(20):
        data = b"%d" % number
        der = key.sign(data, how)
        jose = raw_from_der(der, half)

        assert len(jose) == 2 * half
        assert der_from_raw(jose, half) == der
        key.public_key().verify(der_from_raw(jose, half), data, how)
