"""Whatever text or bytes go in, a proven value comes out or a refusal, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from annul.core import jws
from annul.core.algorithms import ALGORITHMS
from annul.core.encoding import EncodingError, b64url_decode, b64url_encode
from annul.core.handle import Handle, mint, read
from annul.errors import InvalidGrant, TokenRejected
from annul.testing import NOW
from tests.core.any_input import BOUND, GOOD, any_text, judged, often, verifier
from tests.signing import FOREIGN, KEY, KEYS, POLICY, sample_claims, sample_header, signed

if TYPE_CHECKING:
    import annul

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


# --- tokens -----------------------------------------------------------------------------


@often
@given(st.one_of(any_text, st.binary(max_size=200)))
@example("..")
@example(b"..")
@example("\udcff.a.b")
def test_any_text_is_refused(token: str | bytes) -> None:
    assert judged(token) is None


@often
@given(st.lists(st.text(ALPHABET + ".=+/ ", max_size=30), min_size=2, max_size=5).map(".".join))
def test_anything_that_looks_like_a_token_is_refused(token: str) -> None:
    assert judged(token) is None


@st.composite
def mutants(draw: st.DrawFn) -> str:
    token = draw(st.sampled_from([GOOD, BOUND]))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(token)))
        length = draw(st.integers(0, 4))
        match draw(st.integers(0, 4)):
            case 0:
                token = token[:place] + token[place + length :]
            case 1:
                token = token[:place] + draw(st.text(max_size=3)) + token[place:]
            case 2:
                token = token[:place] + draw(st.sampled_from(ALPHABET)) + token[place + 1 :]
            case 3:
                parts = token.split(".")
                token = ".".join(draw(st.permutations(parts)))
            case _:
                token = token[:place] + token[max(0, place - length) :]
    return token


@often
@given(mutants())
def test_a_token_that_was_changed_is_refused(token: str) -> None:
    if token not in {GOOD, BOUND}:
        assert judged(token, {"jkt": "thumbprint", "x5t#S256": "żółw"}) is None


@pytest.mark.parametrize("bit", range(8))
def test_a_token_with_one_bit_flipped_is_refused(bit: int) -> None:
    raw = GOOD.encode()
    verify = verifier().verify
    for place in range(len(raw)):
        flipped = raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]
        with pytest.raises(TokenRejected):
            verify(flipped)
    verify(raw)


# --- anything that the trusted key has signed -------------------------------------------

names = st.sampled_from(
    [*sample_claims(), *sample_header(), "nbf", "auth_time", "cnf", "crit", "b64"]
)
numbers = st.integers() | st.floats() | st.integers(10**8, 10**11)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | numbers
    | any_text
    | st.sampled_from(["at+jwt", "Ed25519", KEY.kid]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(names | any_text, inner, max_size=4)
    ),
    max_leaves=10,
)
objects = st.dictionaries(names | any_text, json_values, max_size=6)


@often
@given(objects, st.sampled_from([POLICY, FOREIGN]))
def test_any_claims_give_a_token_or_a_refusal(claims: dict[str, Any], policy: annul.Policy) -> None:
    text = json.dumps({**sample_claims(), **claims})

    found = judged(signed(text.encode()), policy=policy)

    if found is not None:
        assert found.claims == {**sample_claims(), **claims}
        assert found.expires_at > NOW


@often
@given(objects)
def test_any_header_gives_a_token_or_a_refusal(header: dict[str, Any]) -> None:
    stated = {**sample_header(), **header}

    found = judged(signed(header=stated))

    if found is not None:
        assert stated["alg"] == "Ed25519"
        assert stated["kid"] == KEY.kid
        assert "crit" not in stated


@often
@given(st.binary(max_size=100), st.binary(max_size=100))
def test_any_signed_bytes_give_a_token_or_a_refusal(header: bytes, payload: bytes) -> None:
    for parts in ((header, payload), (json.dumps(sample_header()).encode(), payload)):
        start = ".".join(map(b64url_encode, parts))
        token = f"{start}.{b64url_encode(KEY.sign(start.encode()))}"

        assert judged(token) is None
        try:
            assert jws.verify(token, KEYS, algorithms=("Ed25519",)) == payload
        except TokenRejected:
            assert parts[0] is header


@often
@given(any_text | st.binary(max_size=300), st.sampled_from(list(ALGORITHMS)))
def test_jws_verify_refuses_any_text(token: str | bytes, alg: str) -> None:
    with pytest.raises(TokenRejected):
        jws.verify(token, KEYS, algorithms=(alg,))


# --- what is read is written the same way -----------------------------------------------


@often
@given(st.text(ALPHABET + "=+/!\n", max_size=40) | any_text | st.binary(max_size=40))
@example("AAAA!")
@example("AAAA\n")
def test_base64url_has_one_spelling(text: str | bytes) -> None:
    try:
        data = b64url_decode(text)
    except EncodingError:
        return
    assert b64url_encode(data) == (text if isinstance(text, str) else text.decode())


KEY_ID, SECRET = "k1", bytes(range(32))
HANDLE = mint(KEY_ID, SECRET, "f" * 22, 7)


def find(key_id: str) -> bytes | None:
    return SECRET if key_id == KEY_ID else None


@often
@given(any_text | st.from_regex(r"v1\.k1\.[A-Za-z0-9_-]{22}\.[0-9]{1,16}\.[A-Za-z0-9_-]{43}"))
def test_any_text_is_no_refresh_token(token: str) -> None:
    with pytest.raises(InvalidGrant):
        read(token, find)


@often
@given(
    st.binary(min_size=16, max_size=16).map(b64url_encode),
    st.integers(0, 10**15 - 1),
    st.text(ALPHABET, min_size=1, max_size=32),
)
def test_a_refresh_token_is_read_as_it_was_minted(family: str, number: int, key_id: str) -> None:
    token = mint(key_id, SECRET, family, number)

    assert read(token, lambda _name: SECRET) == Handle(key_id, family, number)
    assert mint(key_id, SECRET, family, number) == token
