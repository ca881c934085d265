"""Claims against a policy: what may be missing, what form each must have, who it names."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from annul.core.policy import LATEST, Policy
from annul.core.revocation import MAX_ID_LENGTH
from annul.errors import ClaimMismatch
from tests.signing import AUDIENCE, FOREIGN, POLICY, sample_claims

NO_TEXT: list[Any] = [None, "", 0, 5, 1.5, True, False, [], ["alice"], {}, {"id": "alice"}]
NO_DATE: list[Any] = [
    None,
    True,
    False,
    "4000000000",
    "",
    [],
    [4_000_000_000],
    {},
    -1,
    -0.001,
    -(10**400),
    LATEST + 1,
    LATEST + 0.5,
    10**400,
    1e300,
    nan,
    inf,
    -inf,
]
NO_POSITION: list[Any] = [
    None,
    5,
    "7,4",
    {},
    {"epoch": 7, "seq": 4},
    [],
    [7],
    [7, 4, 1],
    [7, None],
    [7, "4"],
    [7.0, 4],
    [7, 4.0],
    [True, 4],
    [7, False],
    [-1, 4],
    [7, -1],
    [2**53, 0],
    [0, 2**53],
    [[7], [4]],
]
IDENTIFIERS = ("sub", "jti", "sid", "client_id")
DATES = ("exp", "iat", "nbf", "auth_time")


def culprit(policy: Policy, claims: dict[str, Any]) -> str | None:
    """Return the name of the claim that a policy refuses, ``None`` if it takes them all."""
    try:
        policy.check(claims)
    except ClaimMismatch as mismatch:
        return mismatch.claim
    return None


def test_the_samples_are_good() -> None:
    assert culprit(POLICY, sample_claims()) is None
    assert culprit(FOREIGN, sample_claims("since", "sid", "client_id")) is None


# --- missing --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "since", "sid"]
)
def test_a_token_of_annul_without_a_claim_that_rules_need_is_refused(name: str) -> None:
    assert culprit(POLICY, sample_claims(name)) == name


@pytest.mark.parametrize("name", ["iss", "sub", "aud", "exp", "iat", "jti"])
def test_a_foreign_token_without_a_claim_that_rules_need_is_refused(name: str) -> None:
    assert culprit(FOREIGN, sample_claims(name)) == name


def test_only_a_client_that_speaks_for_itself_has_no_session() -> None:
    assert culprit(POLICY, sample_claims("sid", sub="web", client_id="web")) is None
    assert culprit(POLICY, sample_claims(sub="web", client_id="web")) is None
    assert culprit(POLICY, sample_claims("sid", sub="Web", client_id="web")) == "sid"


@pytest.mark.parametrize("name", ["sub", "iat", "jti"])
def test_a_foreign_policy_may_do_without_some_claims(name: str) -> None:
    needed = tuple({"iss", "sub", "aud", "exp", "iat", "jti"} - {name})
    lenient = Policy.foreign(
        issuer=FOREIGN.issuer, audience=AUDIENCE, algorithms=("RS256",), required=needed
    )

    assert culprit(lenient, sample_claims(name)) is None
    assert culprit(lenient, sample_claims(**{name: None})) == name


@pytest.mark.parametrize("value", [None, "", 0, False, [], "x"], ids=repr)
def test_a_required_claim_of_the_application_may_hold_anything(value: object) -> None:
    needed = (*POLICY.required, "tenant")
    policy = Policy(issuer=POLICY.issuer, audience=AUDIENCE, required=needed)

    assert culprit(policy, sample_claims()) == "tenant"
    assert culprit(policy, sample_claims(tenant=value)) is None


# --- identifiers ----------------------------------------------------------------------


@pytest.mark.parametrize("policy", [POLICY, FOREIGN], ids=["annul", "foreign"])
@pytest.mark.parametrize("name", IDENTIFIERS)
@pytest.mark.parametrize("value", [*NO_TEXT, "x" * (MAX_ID_LENGTH + 1)], ids=lambda v: repr(v)[:20])
def test_what_no_revocation_could_name_is_refused(policy: Policy, name: str, value: object) -> None:
    assert culprit(policy, sample_claims(**{name: value})) == name


@pytest.mark.parametrize("name", IDENTIFIERS)
@pytest.mark.parametrize("value", ["x" * MAX_ID_LENGTH, " ", "0", "é", "\N{PILE OF POO}", "a b"])
def test_any_other_text_is_an_identifier(name: str, value: str) -> None:
    assert culprit(POLICY, sample_claims(**{name: value})) is None
    assert culprit(FOREIGN, sample_claims(**{name: value})) is None


# --- issuer and audience --------------------------------------------------------------


@pytest.mark.parametrize(
    "issuer",
    [*NO_TEXT, "https://auth.example/", "https://AUTH.example", "https://auth.exampl", " "],
    ids=repr,
)
def test_the_issuer_is_compared_exactly(issuer: object) -> None:
    assert culprit(POLICY, sample_claims(iss=issuer)) == "iss"
    assert culprit(POLICY, sample_claims(iss=[POLICY.issuer])) == "iss"


@pytest.mark.parametrize(
    ("aud", "good"),
    [
        (AUDIENCE, True),
        ([AUDIENCE], True),
        (["https://other.example", AUDIENCE], True),
        ([AUDIENCE, AUDIENCE], True),
        ("https://other.example", False),
        (["https://other.example"], False),
        (AUDIENCE + "/", False),
        (AUDIENCE.upper(), False),
        (AUDIENCE[:-1], False),
        (f"{AUDIENCE} https://other.example", False),
        ("", False),
        ([], False),
        ([""], False),
        ([AUDIENCE, 5], False),
        ([AUDIENCE, None], False),
        ([AUDIENCE, ["x"]], False),
        ([[AUDIENCE]], False),
        ({AUDIENCE: True}, False),
        (None, False),
        (True, False),
        (5, False),
    ],
    ids=repr,
)
def test_the_audience_is_a_name_or_an_array_of_names_and_one_is_ours(
    aud: object, good: bool
) -> None:
    expected = None if good else "aud"

    assert culprit(POLICY, sample_claims(aud=aud)) == expected
    assert culprit(FOREIGN, sample_claims(aud=aud)) == expected


def test_one_of_several_audiences_is_enough() -> None:
    policy = Policy(issuer=POLICY.issuer, audience=("a", "b"))

    for aud in ("a", "b", ["c", "b"], ["a", "b"]):
        assert culprit(policy, sample_claims(aud=aud)) is None
    for aud in ("c", ["c"], "ab", ["ab"], "a b"):
        assert culprit(policy, sample_claims(aud=aud)) == "aud"


# --- dates and positions --------------------------------------------------------------


@pytest.mark.parametrize("policy", [POLICY, FOREIGN], ids=["annul", "foreign"])
@pytest.mark.parametrize("name", DATES)
@pytest.mark.parametrize("value", NO_DATE, ids=lambda value: repr(value)[:20])
def test_a_date_is_a_number_of_seconds_in_a_sane_range(
    policy: Policy, name: str, value: object
) -> None:
    assert culprit(policy, sample_claims(**{name: value})) == name


@pytest.mark.parametrize("name", DATES)
@pytest.mark.parametrize("value", [0, 0.0, -0.0, 1, 1.5, 4e9, LATEST, float(LATEST)], ids=repr)
def test_any_number_in_the_range_is_a_date(name: str, value: float) -> None:
    assert culprit(POLICY, sample_claims(**{name: value})) is None


@pytest.mark.parametrize("value", NO_POSITION, ids=repr)
def test_a_log_position_is_two_whole_numbers(value: object) -> None:
    assert culprit(POLICY, sample_claims(since=value)) == "since"


@pytest.mark.parametrize("value", [[0, 0], [7, 4], [2**53 - 1, 2**53 - 1]], ids=repr)
def test_a_log_position_is_what_the_token_says(value: list[int]) -> None:
    assert POLICY.check(sample_claims(since=value))[2] == tuple(value)


@pytest.mark.parametrize("value", [*NO_POSITION, [7, 4]], ids=repr)
def test_a_foreign_token_has_no_log_position_whatever_it_says(value: object) -> None:
    assert FOREIGN.check(sample_claims(since=value))[2] is None
