"""A policy that contradicts itself is not built, and one that exists cannot change."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from math import inf, nan
from typing import Any

import pytest

from annul.core.algorithms import ALGORITHMS
from annul.core.policy import ANNUL_CLAIMS, LATEST, Policy
from annul.errors import Misconfigured

ISSUER = "https://auth.example"
API = "https://api.example"

NAMES: list[Any] = [
    {"issuer": ""},
    {"issuer": None},
    {"issuer": 5},
    {"issuer": b"https://auth.example"},
    {"issuer": [ISSUER]},
    {"audience": ""},
    {"audience": ()},
    {"audience": []},
    {"audience": frozenset()},
    {"audience": (API, "")},
    {"audience": (API, None)},
    {"audience": (API, 5)},
    {"audience": None},
    {"audience": b"https://api.example"},
    {"audience": {API: True}},
    {"typ": ""},
    {"typ": 5},
    {"typ": b"at+jwt"},
    {"typ": ("at+jwt",)},
    {"typ": "at+jwt\N{LATIN SMALL LETTER LONG S}"},
    {"required": ()},
    {"required": None},
    {"required": "iss aud exp"},
    {"required": ("iss", "aud")},
    {"required": ("iss", "exp", "sub")},
    {"required": ("aud", "exp", "sub")},
    {"required": ("iss", "aud", "exp", "")},
    {"required": ("iss", "aud", "exp", 5)},
    {"required": ("iss", "aud", "exp"), "max_age": 60},
]
ALGORITHM_LISTS: list[Any] = [
    {"algorithms": ()},
    {"algorithms": None},
    {"algorithms": 5},
    {"algorithms": "ES256"},
    {"algorithms": ("none",)},
    {"algorithms": ("None",)},
    {"algorithms": ("ES256", "HS256")},
    {"algorithms": ("es256",)},
    {"algorithms": ("ES256", "")},
    {"algorithms": ("ES256", None)},
    {"algorithms": (["ES256"],)},
]
NUMBERS: list[Any] = [
    *({"leeway": value} for value in (-1, -0.001, 300.001, 301, nan, inf, True, "5", None, [5])),
    *({"max_age": value} for value in (0, 0.999, -1, nan, inf, True, "60", LATEST + 1)),
    *({"max_token_length": value} for value in (0, 63, -1, nan, inf, True, "9", None, 1 << 21)),
]


def test_the_smallest_policy_trusts_every_algorithm_and_grants_no_leeway() -> None:
    policy = Policy(issuer=ISSUER, audience=API)

    assert policy.algorithms == tuple(ALGORITHMS)
    assert (policy.typ, policy.leeway, policy.max_age) == ("at+jwt", 0, None)
    assert policy.is_annul


@pytest.mark.parametrize("wrong", [*NAMES, *ALGORITHM_LISTS, *NUMBERS], ids=repr)
def test_a_contradiction_is_refused_when_the_policy_is_made(wrong: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        Policy(**({"issuer": ISSUER, "audience": API} | wrong))


@pytest.mark.parametrize("wrong", [*NAMES, *ALGORITHM_LISTS, *NUMBERS], ids=repr)
def test_a_policy_for_a_foreign_issuer_is_as_strict(wrong: dict[str, Any]) -> None:
    right = {"issuer": ISSUER, "audience": API, "algorithms": ("RS256",)}

    with pytest.raises(Misconfigured):
        Policy.foreign(**(right | wrong))


def test_a_policy_for_a_foreign_issuer_names_its_algorithms() -> None:
    with pytest.raises(TypeError):
        Policy.foreign(issuer=ISSUER, audience=API)  # type: ignore[call-arg]  # what is tested


def test_the_options_of_a_policy_are_keywords() -> None:
    with pytest.raises(TypeError):
        Policy(ISSUER, API)  # type: ignore[call-arg]  # what is tested


@pytest.mark.parametrize(
    "extreme",
    [
        {"leeway": 0},
        {"leeway": 300},
        {"leeway": 299.999},
        {"max_age": 1},
        {"max_age": LATEST},
        {"max_token_length": 64},
        {"max_token_length": 1 << 20},
        {"typ": None},
        {"required": ("iss", "aud", "exp")},
        {"required": ("exp", "scope", "aud", "iss")},
        {"algorithms": ("ES256",)},
    ],
    ids=repr,
)
def test_the_ends_of_every_range_are_good(extreme: dict[str, Any]) -> None:
    policy = Policy(**({"issuer": ISSUER, "audience": API} | extreme))

    for name, value in extreme.items():
        assert getattr(policy, name) == value


@pytest.mark.parametrize("audience", [[API, "b"], (API, "b"), {API, "b"}, frozenset({API, "b"})])
def test_several_audiences_come_in_any_collection(audience: Any) -> None:  # noqa: ANN401 - many
    for policy in (
        Policy(issuer=ISSUER, audience=audience),
        Policy.foreign(issuer=ISSUER, audience=audience, algorithms=["ES256"]),
    ):
        assert policy.audiences == {API, "b"}
        assert isinstance(policy.audience, tuple)
        assert set(policy.audience) == {API, "b"}


def test_a_list_that_made_a_policy_does_not_change_it_later() -> None:
    audience, algorithms, required = [API], ["ES256"], ["iss", "aud", "exp", "iat"]
    policy = Policy.foreign(
        issuer=ISSUER, audience=audience, algorithms=algorithms, required=required
    )

    for changed in (audience, algorithms, required):
        changed.append("RS256")

    assert policy.audiences == {API}
    assert policy.algorithms == ("ES256",)
    assert policy.required == ("iss", "aud", "exp", "iat")


def test_a_policy_is_a_value() -> None:
    policy = Policy(issuer=ISSUER, audience=API, leeway=5)

    assert policy == Policy(issuer=ISSUER, audience=API, leeway=5)
    assert hash(policy) == hash(Policy(issuer=ISSUER, audience=API, leeway=5))
    assert policy != Policy(issuer=ISSUER, audience=API)
    for name in ("issuer", "audience", "leeway", "audiences", "needed", "is_annul"):
        with pytest.raises(FrozenInstanceError):
            setattr(policy, name, "x")


def test_what_is_worked_out_cannot_be_passed() -> None:
    for name in ("audiences", "media_types", "needed", "is_annul", "ahead"):
        with pytest.raises(TypeError):
            Policy(issuer=ISSUER, audience=API, **{name: frozenset()})  # type: ignore[arg-type]  # what is tested


@pytest.mark.parametrize(
    ("typ", "accepted"),
    [
        ("at+jwt", {"application/at+jwt"}),
        ("AT+JWT", {"application/at+jwt"}),
        ("application/at+jwt", {"application/at+jwt"}),
        ("text/x", {"text/x"}),
        ("JWT", {"application/jwt"}),
        (None, {None, "application/jwt"}),
    ],
)
def test_typ_is_a_media_type(typ: str | None, accepted: set[str | None]) -> None:
    assert Policy(issuer=ISSUER, audience=API, typ=typ).media_types == accepted


def test_a_policy_that_asks_for_a_log_position_is_for_tokens_of_annul() -> None:
    assert Policy(issuer=ISSUER, audience=API, required=ANNUL_CLAIMS).is_annul
    assert not Policy(issuer=ISSUER, audience=API, required=("iss", "aud", "exp")).is_annul
    assert not Policy.foreign(issuer=ISSUER, audience=API, algorithms=("RS256",)).is_annul


@pytest.mark.parametrize("name", [name for name in ANNUL_CLAIMS if name != "since"])
def test_a_policy_for_tokens_of_annul_insists_on_every_claim_the_rules_need(name: str) -> None:
    with pytest.raises(Misconfigured):
        Policy(
            issuer=ISSUER,
            audience=API,
            required=tuple(needed for needed in ANNUL_CLAIMS if needed != name),
        )
