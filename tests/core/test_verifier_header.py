"""Headers that correctly signed tokens may have, and headers that refuse them."""

from __future__ import annotations

from typing import Any

import pytest

from annul.core.denylist import Denylist
from annul.core.jwk import PublicKey
from annul.core.jwks import JWKS
from annul.core.policy import Policy
from annul.core.verifier import Verifier
from annul.errors import AlgorithmNotAllowed, BadSignature, Malformed, UnknownKey, WrongType
from annul.testing import ISSUER, NOW, FixedClock
from tests.signing import AUDIENCE, KEY, KEYS, OTHER_KEY, POLICY, sample_header, signed


def verifier(jwks: JWKS = KEYS, policy: Policy = POLICY) -> Verifier:
    return Verifier(jwks=jwks, policy=policy, denylist=Denylist(), clock=FixedClock(NOW))


# --- typ, crit ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "typ", ["at+jwt", "AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/at+JWT"]
)
def test_typ_is_compared_as_a_media_type_in_any_case(typ: str) -> None:
    assert verifier().verify(signed(header=sample_header(typ=typ))).subject == "alice"


@pytest.mark.parametrize(
    "typ",
    [
        "JWT",
        "jwt",
        "at+jwt ",
        "at jwt",
        "text/at+jwt",
        "application/application/at+jwt",
        "",
        "at+jwt;x=1",
        None,
        5,
        True,
        ["at+jwt"],
        {"at+jwt": 1},
        "at+\N{LATIN SMALL LETTER DOTLESS J}wt",
    ],
    ids=repr,
)
def test_any_other_typ_is_another_kind_of_token(typ: object) -> None:
    with pytest.raises(WrongType):
        verifier().verify(signed(header=sample_header(typ=typ)))


def test_a_typ_is_not_optional_unless_the_policy_says_so() -> None:
    untyped = Policy(issuer=ISSUER, audience=AUDIENCE, typ=None)

    with pytest.raises(WrongType):
        verifier().verify(signed(header=sample_header("typ")))
    assert verifier(policy=untyped).verify(signed(header=sample_header("typ"))).subject == "alice"
    assert (
        verifier(policy=untyped).verify(signed(header=sample_header(typ="JWT"))).subject == "alice"
    )
    # A token that says it is something else is something else (RFC 8725 §3.11).
    with pytest.raises(WrongType):
        verifier(policy=untyped).verify(signed(header=sample_header(typ="at+jwt")))


@pytest.mark.parametrize(
    "extension",
    [
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
        {"crit": ["https://extension.example"]},
        {"crit": []},
        {"crit": None},
        {"crit": "exp"},
        {"crit": False},
        {"b64": False},
        {"b64": None},
        {"b64": 1},
        {"b64": "true"},
    ],
    ids=repr,
)
def test_extensions_are_refused_because_none_is_understood(extension: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        verifier().verify(signed(header=sample_header(**extension)))


def test_a_header_may_hold_what_is_never_looked_at() -> None:
    strangers = {
        "b64": True,
        "jku": "https://evil.example/keys",
        "jwk": OTHER_KEY.public.to_jwk(),
        "x5c": ["AAAA"],
        "x5u": "https://evil.example/x",
        "cty": "JWT",
        "é": [{"deep": None}],
    }

    assert verifier().verify(signed(header=sample_header(**strangers))).subject == "alice"
    with pytest.raises(BadSignature):
        verifier().verify(signed(header=sample_header(**strangers), key=OTHER_KEY))


# --- kid ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kid",
    [None, "", 5, True, [], {}, [KEY.kid], "x" * 257, "a\nb", "\x7f", KEY.kid + " "],
    ids=repr,
)
def test_a_key_id_that_names_no_trusted_key_is_refused(kid: object) -> None:
    with pytest.raises(UnknownKey):
        verifier().verify(signed(header=sample_header(kid=kid)))


def test_no_key_is_tried_that_the_header_did_not_name() -> None:
    both = JWKS([KEY.public, OTHER_KEY.public])
    swapped = signed(header=sample_header(kid=OTHER_KEY.kid), key=KEY)

    with pytest.raises(BadSignature):
        verifier(both).verify(swapped)
    assert verifier(both).verify(signed()).key_id == KEY.kid
    other = signed(header=sample_header(kid=OTHER_KEY.kid), key=OTHER_KEY)
    assert verifier(both).verify(other).key_id == OTHER_KEY.kid


def test_a_token_without_a_key_id_needs_exactly_one_trusted_key() -> None:
    nameless = signed(header=sample_header("kid"))

    assert verifier().verify(nameless).key_id == KEY.kid
    for keys in (JWKS(), JWKS([KEY.public, OTHER_KEY.public])):
        with pytest.raises(UnknownKey):
            verifier(keys).verify(nameless)


def test_a_key_with_a_name_of_its_own_answers_to_that_name_only() -> None:
    named = JWKS([PublicKey.from_jwk(KEY.public.to_jwk() | {"kid": "2024"})])

    assert verifier(named).verify(signed(header=sample_header(kid="2024"))).key_id == "2024"
    with pytest.raises(UnknownKey):
        verifier(named).verify(signed())


def test_a_policy_can_trust_fewer_algorithms_than_there_are_keys() -> None:
    narrow = Policy(issuer=ISSUER, audience=AUDIENCE, algorithms=("ES256", "RS256"))

    with pytest.raises(AlgorithmNotAllowed):
        verifier(policy=narrow).verify(signed())
