"""Whatever comes as a proof, it is a proven key or a refusal, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from annul.core.encoding import b64url_decode, b64url_encode
from annul.errors import InvalidDPoPProof, InvalidRequest, NotBound, RequestRefused, TokenRejected
from annul.testing import NOW
from tests.core.any_input import OBJECTS, Pretender, any_text, often
from tests.core.dpop_samples import CLIENT, CLIENT_KEY, TOKEN, URL, server, verifier

if TYPE_CHECKING:
    from annul.core.dpop import DPoP
    from annul.core.dpop_proof import DPoPProof

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
GOOD = CLIENT.proof("GET", URL, access_token=TOKEN)
HEADER, CLAIMS = (json.loads(b64url_decode(part)) for part in GOOD.split(".")[:2])
DPOP = server()


def proven(proof: Any, dpop: DPoP | None = None) -> DPoPProof | None:  # noqa: ANN401
    """Return what was proven, ``None`` if it is refused; whatever else happens is a failure."""
    try:
        return (dpop or server()).prove(proof, method="GET", url=URL, access_token=TOKEN)
    except InvalidDPoPProof:
        return None


def resigned(header: bytes, payload: bytes) -> str:
    start = f"{b64url_encode(header)}.{b64url_encode(payload)}"
    return f"{start}.{b64url_encode(CLIENT_KEY.sign(start.encode()))}"


def test_the_good_one_is_proven() -> None:
    found = proven(GOOD)
    assert found is not None
    assert found.jkt == CLIENT.jkt


@often
@given(st.one_of(any_text, st.binary(max_size=200), st.lists(any_text, max_size=3)))
@example("..")
@example([b".."])
@example("\udcff.a.b")
def test_any_text_is_no_proof(proof: object) -> None:
    assert proven(proof, DPOP) is None


@often
@given(st.lists(st.text(ALPHABET + ".=+/, ", max_size=30), min_size=2, max_size=5).map(".".join))
def test_anything_that_looks_like_a_proof_is_none(proof: str) -> None:
    assert proven(proof, DPOP) is None


@pytest.mark.parametrize("proof", OBJECTS, ids=lambda proof: type(proof).__name__)
def test_what_is_no_text_is_no_proof(proof: object) -> None:
    assert proven(proof) is None
    assert proven([proof]) is None
    assert proven(Pretender(GOOD)) is None


@pytest.mark.parametrize("bit", range(8))
def test_a_proof_with_one_bit_flipped_is_refused(bit: int) -> None:
    raw = GOOD.encode()
    for place in range(len(raw)):
        flipped = raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]
        assert proven(flipped, DPOP) is None


names = st.sampled_from([*HEADER, *CLAIMS, *HEADER["jwk"], "nonce", "exp", "nbf", "crit", "d", "k"])
numbers = st.integers() | st.floats() | st.integers(int(NOW) - 100, int(NOW) + 100)
texts = any_text | st.sampled_from(["GET", URL, "dpop+jwt", "Ed25519", "ES256", "OKP", "RSA", "A"])
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | texts, inner, max_size=4),
    max_leaves=8,
)
objects = st.dictionaries(names | any_text, values, max_size=4)


@often
@given(objects, objects)
def test_any_header_with_any_key_gives_a_proof_or_a_refusal(
    header: dict[str, Any], jwk: dict[str, Any]
) -> None:
    stated = {**HEADER, "jwk": {**HEADER["jwk"], **jwk}, **header}
    found = proven(resigned(json.dumps(stated).encode(), json.dumps(CLAIMS).encode()))
    if found is not None:
        assert (stated["typ"], stated["alg"]) == ("dpop+jwt", "Ed25519")
        assert {"d", "k"}.isdisjoint(stated["jwk"])
        assert found.jkt == CLIENT.jkt


@often
@given(objects)
def test_any_claims_give_a_proof_or_a_refusal(claims: dict[str, Any]) -> None:
    stated = {**CLAIMS, **claims}
    found = proven(resigned(json.dumps(HEADER).encode(), json.dumps(stated).encode()))
    if found is not None:
        assert (stated["htm"], stated["ath"]) == ("GET", CLAIMS["ath"])
        assert NOW - 60 <= stated["iat"] <= NOW + 10
        assert found.jti == stated["jti"]


@often
@given(st.binary(max_size=100), st.binary(max_size=100))
def test_any_signed_bytes_are_no_proof(header: bytes, payload: bytes) -> None:
    assert proven(resigned(header, payload), DPOP) is None
    assert proven(resigned(json.dumps(HEADER).encode(), payload), DPOP) is None


@pytest.mark.parametrize("odd", OBJECTS, ids=lambda odd: type(odd).__name__)
def test_whatever_is_handed_over_beside_the_proof_crashes_nothing(odd: Any) -> None:  # noqa: ANN401
    dpop = server()
    for changed in ({"method": odd}, {"url": odd}, {"access_token": odd}):
        asked = {"method": "GET", "url": URL, "access_token": TOKEN, **changed}
        if changed == {"access_token": None}:
            continue  # that is how to say that there is none
        with pytest.raises((TokenRejected, RequestRefused)):
            dpop.prove(GOOD, **asked)
    with pytest.raises((NotBound, TokenRejected)):
        dpop.verify(verifier(), odd, GOOD, method="GET", url=URL)
    if odd is not None:
        with pytest.raises(InvalidRequest):
            dpop.prove(GOOD, method="GET", url=URL, access_token=TOKEN, jkt=odd)
    proof = CLIENT.proof("GET", URL, access_token=TOKEN)
    token = dpop.verify(verifier(), TOKEN, proof, method="GET", url=URL, binding=odd)
    assert token.subject == "alice"
