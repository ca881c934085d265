"""Whatever is read as a key, a key comes out or ``InvalidKey``, and it is written back the same."""

from __future__ import annotations

import contextlib
import json
from functools import cache
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import annul
from annul.core.encoding import b64url_encode
from annul.errors import InvalidKey
from tests.core.any_input import any_text, often
from tests.core.sample_keys import private_key

ALGS = ["ES256", "ES512", "Ed25519", "RS256"]


def key_set(document: Any) -> annul.JWKS | None:  # noqa: ANN401 - that is the point
    try:
        found = annul.JWKS.from_json(document)
    except InvalidKey:
        return None
    # A set that was accepted can be trusted by a verifier, published, and read again.
    policy = annul.Policy(issuer="https://auth.example", audience="a")
    annul.Verifier(jwks=found, policy=policy, denylist=annul.Denylist())
    assert annul.JWKS.from_json(found.to_json()) == found
    return found


def public_pem(data: Any) -> annul.PublicKey | None:  # noqa: ANN401 - that is the point
    try:
        found = annul.PublicKey.from_pem(data)
    except InvalidKey:
        return None
    assert annul.PublicKey.from_pem(found.to_pem()).thumbprint == found.thumbprint
    return found


def private_pem(data: Any, password: Any = None) -> annul.PrivateKey | None:  # noqa: ANN401
    try:
        found = annul.PrivateKey.from_pem(data, password=password)
    except InvalidKey:
        return None
    assert annul.PrivateKey.from_pem(found.to_pem()).kid == found.kid
    return found


# --- JWK and JWK Set --------------------------------------------------------------------


@cache
def jwks_of_all() -> tuple[dict[str, str], ...]:
    return tuple(private_key(alg).to_jwk() for alg in ALGS)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=6,
)
numbers_in_text = st.binary(max_size=70).map(b64url_encode)
members = st.sampled_from(
    ["kty", "crv", "x", "y", "n", "e", "d", "p", "q", "dp", "use", "key_ops", "alg", "kid", "pub"]
)
words = st.sampled_from(["EC", "RSA", "OKP", "AKP", "P-256", "Ed25519", "ML-DSA-44", "AQAB", "sig"])


@often
@given(any_text | st.binary(max_size=60) | values)
@example('{"keys": [null]}')
@example({"keys": [{"kty": "EC"}]})
@example("[]")
@example("\ud800")
def test_any_document_is_a_key_set_or_is_refused(document: object) -> None:
    found = key_set(document)

    assert found is None or len(found) == 0


@often
@given(st.lists(st.dictionaries(members, numbers_in_text | words | values, max_size=6), max_size=4))
def test_any_members_make_a_key_set(keys: list[dict[str, Any]]) -> None:
    for document in ({"keys": keys}, json.dumps({"keys": keys})):
        found = key_set(document)
        assert found is None or len(found) + len(found.skipped) == len(keys)


@often
@given(
    st.integers(0, len(ALGS) - 1),
    st.dictionaries(members, numbers_in_text | words | values, min_size=1, max_size=2),
)
@example(0, {"kid": "\ud800"})
@example(3, {"p": "AQ"})
@example(3, {"e": "AQ"})
def test_any_change_to_a_good_key_leaves_a_key_or_nothing(
    number: int, changed: dict[str, Any]
) -> None:
    jwk: dict[str, Any] = {**jwks_of_all()[number], **changed}

    found = key_set({"keys": [jwk]})

    if found:
        # Whatever is trusted is still the key of that owner.
        (key,) = found
        assert key.thumbprint == private_key(ALGS[number]).kid
    with contextlib.suppress(InvalidKey):
        assert annul.PrivateKey.from_jwk(jwk).public.thumbprint == private_key(ALGS[number]).kid


@pytest.mark.parametrize(
    "document",
    [None, 0, [], (), object(), bytearray(b"{}"), memoryview(b"{}"), {1: 2}, {"keys": ()}],
)
def test_any_object_is_a_key_set_or_is_refused(document: object) -> None:
    assert key_set(document) is None
    with pytest.raises(InvalidKey):
        annul.PublicKey.from_jwk(document)  # type: ignore[arg-type]  # the point
    with pytest.raises(InvalidKey):
        annul.PrivateKey.from_jwk(document)  # type: ignore[arg-type]  # the point


# --- PEM --------------------------------------------------------------------------------


@cache
def pems() -> tuple[bytes, ...]:
    keys = [private_key(alg) for alg in ALGS]
    return tuple(
        form
        for key in keys
        for form in (key.to_pem(), key.public.to_pem(), key.to_pem(password=b"x"))
    )


LABELS = st.sampled_from(
    ["PUBLIC KEY", "PRIVATE KEY", "RSA PUBLIC KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY",
     "ENCRYPTED PRIVATE KEY", "CERTIFICATE", "OPENSSH PRIVATE KEY", "EC PARAMETERS", ""]
)  # fmt: skip


@often
@given(any_text | st.binary(max_size=100) | values)
@example("-----BEGIN PUBLIC KEY-----")
@example("-----BEGIN PRIVATE KEY-----\n\n-----END PRIVATE KEY-----")
def test_any_bytes_are_no_pem(data: object) -> None:
    assert public_pem(data) is None
    assert private_pem(data) is None
    assert private_pem(data, b"password") is None


@often
@given(LABELS, LABELS, st.binary(max_size=120))
def test_any_block_is_a_key_or_is_refused(label: str, end: str, body: bytes) -> None:
    text = f"-----BEGIN {label}-----\n{b64url_encode(body)}\n-----END {end}-----\n"

    for data in (text, text.replace("-", "+").replace("_", "/"), text.encode()):
        assert public_pem(data) is None
        assert private_pem(data) is None
        assert private_pem(data, b"x") is None


@often
@given(
    st.integers(0, 3 * len(ALGS) - 1),
    st.lists(st.tuples(st.integers(0, 4000), st.binary(max_size=3)), min_size=1, max_size=3),
)
def test_any_damage_to_a_pem_leaves_a_key_or_nothing(
    number: int, damage: list[tuple[int, bytes]]
) -> None:
    data = pems()[number]
    for place, octets in damage:
        at = place % (len(data) + 1)
        data = data[:at] + octets + data[at + len(octets) :]

    for found in (public_pem(data), private_pem(data), private_pem(data, b"x")):
        if isinstance(found, annul.PrivateKey):
            found.public.check(found.alg)(found.sign(b"data"), b"data")


@pytest.mark.parametrize(
    "data",
    [None, 0, [], object(), bytearray(b"x"), memoryview(b"x")],
    ids=lambda data: type(data).__name__,
)
def test_any_object_is_no_pem(data: object) -> None:
    assert public_pem(data) is None
    assert private_pem(data) is None
    assert private_pem(pems()[2], data) is None
