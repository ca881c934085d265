"""Attacks on what is read after the signature: crit, claims, and what a cache remembers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import annul
from annul.core.encoding import b64url_encode
from annul.errors import BadSignature, ClaimMismatch, Expired, Malformed, NotYetValid, UnknownKey
from annul.testing import ISSUER, NOW
from tests.advisories.forgery import (
    AUDIENCE,
    compact,
    genuine,
    header_of,
    refuses,
    trusted,
    verifier_of,
)
from tests.judging import Judge
from tests.signing import sample_claims, signed

if TYPE_CHECKING:
    from annul.errors import TokenRejected

# --- crit and b64 -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "members",
    [
        {"crit": ["x-unknown"], "x-unknown": 1},
        {"crit": ["cnf"], "cnf": {"jkt": "other"}},
        {"crit": ["exp"], "exp": NOW + 900},
        {"crit": ["b64"], "b64": True},
        {"crit": ["alg"]},
        {"crit": []},
        {"crit": None},
        {"crit": "alg"},
    ],
    ids=[
        "cve_2025_59420",
        "cve_2026_32597",
        "cve_2026_35042",
        "rfc_7797",
        "rfc_7515_registered",
        "rfc_7515_empty",
        "rfc_7515_null",
        "rfc_7515_string",
    ],
)
def test_an_extension_that_must_be_understood_is_refused(members: dict[str, Any]) -> None:
    key = trusted("ES256")

    attack = compact(header_of(key, **members), sample_claims(), key.sign)

    refuses(verifier_of(key.public).verify, attack, Malformed, genuine(key))


def test_ghsa_w7vc_732c_9m39_an_unencoded_payload_is_refused() -> None:
    key = trusted("Ed25519")
    payload = json.dumps(sample_claims(iss="i", aud="a"))

    for members in ({"b64": False}, {"b64": False, "crit": ["b64"]}):
        head = b64url_encode(json.dumps(header_of(key, **members)).encode())
        signature = b64url_encode(key.sign(f"{head}.{payload}".encode()))
        for attack in (
            f"{head}.{payload}.{signature}",
            f"{head}..{signature}",
            compact(header_of(key, **members), sample_claims(), key.sign),
        ):
            refuses(verifier_of(key.public).verify, attack, Malformed, genuine(key))


def test_cve_2026_48990_b64_does_not_lift_the_limit_on_size() -> None:
    key = trusted("Ed25519")

    attack = compact(header_of(key, b64=False), b" " * 400_000, key.sign)

    with pytest.raises(Malformed):
        annul.jws.verify(attack, annul.JWKS([key.public]), algorithms=("Ed25519",))
    refuses(verifier_of(key.public).verify, attack, Malformed, genuine(key))


# --- claims that look right -------------------------------------------------------------


@pytest.mark.parametrize(
    "aud",
    [
        [],
        [""],
        [[AUDIENCE]],
        [AUDIENCE, None],
        [AUDIENCE, 1],
        {AUDIENCE: True},
        None,
        True,
        AUDIENCE + "/",
        AUDIENCE.upper(),
        f"{AUDIENCE} https://other.example",
        f"{AUDIENCE},https://other.example",
        AUDIENCE[:-1],
    ],
    ids=repr,
)
def test_cve_2020_26160_an_audience_is_a_name_or_a_list_of_names(aud: Any) -> None:  # noqa: ANN401
    key = trusted("ES256")
    verify = verifier_of(key.public).verify

    refuses(verify, genuine(key, aud=aud), ClaimMismatch, genuine(key, aud=["x", AUDIENCE]))


@pytest.mark.parametrize(
    "iss",
    [ISSUER[:-1], ISSUER[:12], "https", "", ISSUER + ".evil.example", ISSUER + "/", f" {ISSUER}"],
    ids=repr,
)
def test_cve_2024_53861_an_issuer_is_compared_as_a_whole(iss: str) -> None:
    key = trusted("ES256")

    refuses(verifier_of(key.public).verify, genuine(key, iss=iss), ClaimMismatch, genuine(key))


@pytest.mark.parametrize("iss", [[ISSUER], [ISSUER, "https://evil.example"], {ISSUER: 1}, None])
def test_cve_2025_30144_an_issuer_is_never_a_list(iss: Any) -> None:  # noqa: ANN401
    key = trusted("ES256")

    refuses(verifier_of(key.public).verify, genuine(key, iss=iss), ClaimMismatch, genuine(key))


@pytest.mark.parametrize(
    "value", [None, "", "x", str(NOW - 1), True, False, [], {}, [NOW]], ids=repr
)
@pytest.mark.parametrize("name", ["exp", "nbf", "iat", "auth_time"])
def test_cve_2026_25537_a_date_of_the_wrong_type_is_not_an_absent_one(
    name: str,
    value: Any,  # noqa: ANN401 - JSON values
) -> None:
    key = trusted("ES256")
    attack = genuine(key, **{name: value})

    refuses(verifier_of(key.public).verify, attack, ClaimMismatch, genuine(key, nbf=NOW))


@pytest.mark.parametrize("number", ["1e400", "-1e400", "NaN", "Infinity", "-Infinity"])
def test_cve_2026_25537_an_endless_date_is_not_json(number: str) -> None:
    key = trusted("ES256")
    text = json.dumps(sample_claims("exp"))[:-1] + f', "exp": {number}}}'

    attack = compact(header_of(key), text.encode(), key.sign)

    refuses(verifier_of(key.public).verify, attack, Malformed, genuine(key))


def test_cve_2024_51744_a_bad_signature_hides_behind_no_other_fault() -> None:
    key = trusted("ES256")
    verify = verifier_of(key.public).verify
    faults: list[dict[str, Any]] = [
        {"exp": NOW - 1},
        {"nbf": NOW + 60},
        {"iss": "https://evil.example"},
        {"cnf": {"jkt": "other"}},
    ]

    for claims in faults:
        forged = compact(header_of(key), sample_claims(**claims), bytes(64))
        refuses(verify, forged, BadSignature, genuine(key))


def test_cve_2024_51744_what_is_refused_returns_nothing_to_go_on_with() -> None:
    key = trusted("ES256")
    verify = verifier_of(key.public).verify
    verify(genuine(key))

    with pytest.raises(Expired) as caught:
        verify(genuine(key, exp=NOW - 1, sub="mallory"))

    error: TokenRejected = caught.value
    assert "mallory" not in str(error)
    assert not [value for value in vars(error).values() if isinstance(value, annul.VerifiedToken)]


# --- what a cache remembers -------------------------------------------------------------


def test_cve_2026_107719_a_remembered_token_expires_all_the_same() -> None:
    judge = Judge()
    token = signed(sample_claims(exp=NOW + 10))
    judge.verify(token)
    judge.clock.advance(9.999)
    judge.verify(token)

    judge.clock.advance(0.001)

    with pytest.raises(Expired):
        judge.verify(token)


def test_cve_2026_107719_a_remembered_token_is_not_valid_before_its_time() -> None:
    judge = Judge()
    token = signed(sample_claims(nbf=NOW, iat=NOW - 60))
    judge.verify(token)

    judge.clock.advance(-1)

    with pytest.raises(NotYetValid):
        judge.verify(token)


def test_cve_2026_107719_a_remembered_token_does_not_outlive_its_key() -> None:
    judge = Judge()
    token = signed()
    judge.verify(token)

    judge.verifier.trust(annul.JWKS([trusted("ES256").public]))

    with pytest.raises(UnknownKey):
        judge.verify(token)
    judge.verify(genuine(trusted("ES256")))


def test_cve_2026_35039_a_text_that_only_equals_a_remembered_one_is_not_it() -> None:
    class Chameleon(str):
        __slots__ = ()

        def __eq__(self, _other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return hash(good)

    judge = Judge()
    good = signed()
    judge.verify(good)
    bad = Chameleon(good[:-4] + "AAAA")

    with pytest.raises(BadSignature):
        judge.verify(bad)
    assert judge.verify(good).subject == "alice"
