"""The set of trusted keys: one bad member takes nothing down, and no key is chosen by chance."""

from __future__ import annotations

import json
from typing import Any

import pytest

import annul
from annul.core.encoding import MAX_JSON_DEPTH
from tests.core.sample_keys import EVERY_ALG, other_key, private_key

JWKS = annul.JWKS

KEYS = [private_key(alg).public for alg in ("ES256", "Ed25519", "RS256")]


def jwk(alg: str = "ES256", /, **more: object) -> dict[str, Any]:
    return {**private_key(alg).public.to_jwk(), **more}


def read(*members: object) -> annul.JWKS:
    return JWKS.from_json(json.dumps({"keys": members}))


# --- reading --------------------------------------------------------------------------


@pytest.mark.parametrize("as_what", ["str", "bytes", "mapping"])
def test_a_set_is_written_and_read_back_as_itself(as_what: str) -> None:
    mine = JWKS(private_key(alg).public for alg in EVERY_ALG if not alg.startswith(("RS", "PS")))
    text = mine.to_json()
    document: Any = {"str": text, "bytes": text.encode(), "mapping": json.loads(text)}[as_what]
    again = JWKS.from_json(document)

    assert again == mine
    assert hash(again) == hash(mine)
    assert again.keys == mine.keys
    assert again.skipped == ()
    assert again.to_json() == text


def test_what_is_published_holds_no_private_member() -> None:
    # JWK-01: not even if a private key was read.
    mine = read(*(private_key(key).to_jwk() for key in ("ES256", "Ed25519", "RS256")))

    for member in json.loads(mine.to_json())["keys"]:
        assert not {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"} & set(member)
        assert member["use"] == "sig"
    assert len(mine) == 3


BAD: dict[str, object] = {
    "another type": {"kty": "oct", "k": "AAAA"},
    "unknown type": {"kty": "XYZ", "kid": "x"},
    "no type": {"kid": "x"},
    "encryption": jwk(use="enc", kid="x"),
    "other algorithm": jwk(alg="ECDH-ES", kid="x"),
    "not a point": jwk(y=jwk()["x"], kid="x"),
    "not a string": jwk(x=1, kid="x"),
    "short RSA": jwk("RS256", n=jwk("RS256")["n"][:100], kid="x"),
    "small exponent": jwk("RS256", e="Aw", kid="x"),
    "numeric kid": jwk(kid=7),
    "control kid": jwk(kid="a\n"),
    "null": None,
    "number": 1,
    "text": "ES256",
    "array": [],
    "empty": {},
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_member_that_cannot_be_used_is_skipped_and_the_others_stay(bad: object) -> None:
    # JWK-04, RFC 7517 §5
    found = read(bad, jwk("Ed25519"), bad)

    assert found.keys == (private_key("Ed25519").public,)
    assert len(found.skipped) == 2
    assert len(read(bad)) == 0


def test_why_a_member_was_skipped_names_its_place_and_none_of_its_contents() -> None:
    secret = private_key("ES256").to_jwk() | {"x": "AAAA"}
    found = read(jwk("Ed25519"), secret)

    assert "[1]" in found.skipped[0]
    assert not any(value in found.skipped[0] for value in (secret["d"], secret["y"]))


# JWK-05
@pytest.mark.parametrize(
    "twins",
    [
        (jwk(), jwk()),
        (jwk(kid="one"), jwk("Ed25519", kid="one")),
        (jwk(kid="one"), other_key("ES256").public.to_jwk() | {"kid": "one"}),
        (jwk("Ed25519", kid=private_key("ES256").kid), jwk()),
        ({name: jwk()[name] for name in ("kty", "crv", "x", "y")}, jwk()),
    ],
    ids=["the same", "two types", "one type", "named like another", "with and without its name"],
)
def test_two_usable_keys_of_one_name_are_refused(twins: tuple[object, object]) -> None:
    for order in (twins, twins[::-1], (jwk("RS256"), *twins)):
        with pytest.raises(annul.InvalidKey):
            read(*order)


def test_an_unusable_key_does_not_take_the_name_of_a_usable_one() -> None:
    found = read(jwk(kid="one", use="enc"), jwk("Ed25519", kid="one"))
    assert found.select("one").algorithms == ("Ed25519",)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"keys":null}',
        '{"keys":{}}',
        '{"keys":"x"}',
        '{"Keys":[]}',
        '{"keys":[],"keys":[]}',
        '{"keys":[{"kty":"EC","kty":"RSA"}]}',
        '{"keys":[NaN]}',
        '{"keys":[]}x',
        '\ufeff{"keys":[]}',
        b'\xff{"keys":[]}',
        '{"keys":["\ud800"]}',
        '{"keys":' + "[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH + "}",
        {},
        {"keys": ()},
        {"keys": 1},
        None,
        1,
        ["keys"],
        jwk(),
        json.dumps(jwk()),
    ],
)
def test_a_document_that_is_no_jwk_set_is_refused_as_a_whole(document: Any) -> None:  # noqa: ANN401 - also of wrong types
    with pytest.raises(annul.InvalidKey):
        JWKS.from_json(document)


def test_other_members_of_the_document_are_ignored() -> None:
    text = json.dumps({"issuer": "x", "keys": [jwk()], "expires": 1.5, "jwks": {"keys": []}})
    assert JWKS.from_json(text).keys == (private_key("ES256").public,)


def test_a_document_has_a_largest_size() -> None:
    room = (1 << 18) - len('{"keys":[],"x":""}')
    assert len(JWKS.from_json('{"keys":[],"x":"%s"}' % ("x" * room))) == 0
    with pytest.raises(annul.InvalidKey):
        JWKS.from_json('{"keys":[],"x":"%s"}' % ("x" * (room + 1)))


def test_a_document_has_a_largest_number_of_keys() -> None:
    assert len(read(*[{}] * 100).skipped) == 100
    with pytest.raises(annul.InvalidKey):
        read(*[{}] * 101)


# --- selecting ------------------------------------------------------------------------


def test_the_key_that_is_named_is_selected_and_no_other() -> None:
    mine = JWKS(KEYS)

    for key in KEYS:
        assert mine.select(key.kid) is key
        assert mine.get(key.kid) is key
        assert key.kid in mine
    for unknown in ("", "x", KEYS[0].kid.lower(), KEYS[0].kid + " ", KEYS[0].kid[:-1]):
        assert mine.get(unknown) is None
        assert unknown not in mine
        with pytest.raises(annul.UnknownKey):
            mine.select(unknown)


def test_without_a_name_there_must_be_exactly_one_key() -> None:
    assert JWKS(KEYS[:1]).select(None) is KEYS[0]
    for keys in (KEYS, KEYS[:2], []):
        with pytest.raises(annul.UnknownKey):
            JWKS(keys).select(None)


def test_the_only_key_is_not_tried_for_a_name_that_is_not_its_own() -> None:
    with pytest.raises(annul.UnknownKey):
        JWKS(KEYS[:1]).select("another")


def test_a_key_without_a_name_answers_to_its_thumbprint() -> None:
    nameless = {name: jwk()[name] for name in ("kty", "crv", "x", "y")}
    found = read(nameless, jwk("Ed25519"))

    assert found.select(private_key("ES256").kid).thumbprint == private_key("ES256").kid
    # One that has a name does not: two names would be two ways to revoke it.
    with pytest.raises(annul.UnknownKey):
        read(jwk(kid="named")).select(private_key("ES256").kid)


# --- the value ------------------------------------------------------------------------


def test_without_takes_the_named_keys_out_and_changes_nothing_in_place() -> None:
    mine = read(*(key.to_jwk() for key in KEYS), {"kty": "oct"})
    left = mine.without({KEYS[0].kid, "unknown"})

    assert left.keys == (KEYS[1], KEYS[2])
    assert left.skipped == mine.skipped
    assert mine.keys == tuple(KEYS)
    with pytest.raises(annul.UnknownKey):
        left.select(KEYS[0].kid)
    assert mine.without(()) == mine


def test_order_carries_no_meaning() -> None:
    assert JWKS(KEYS) == JWKS(reversed(KEYS))
    assert hash(JWKS(KEYS)) == hash(JWKS(reversed(KEYS)))
    assert JWKS(KEYS) != JWKS(KEYS[1:])
    assert list(JWKS(KEYS)) == KEYS
    assert len(JWKS()) == 0
