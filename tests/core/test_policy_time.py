"""When a token holds: each boundary of ``exp``, ``nbf``, ``iat`` and ``max_age``, to the tick."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.denylist import Denylist
from annul.core.policy import Policy
from annul.core.verifier import Verifier
from annul.errors import Expired, NotYetValid, TokenRejected
from annul.testing import ISSUER, NOW, FixedClock
from tests.signing import AUDIENCE, KEYS, POLICY, sample_claims, signed

if TYPE_CHECKING:
    from collections.abc import Mapping

TICK = 0.001


def ours(*, leeway: float = 0, max_age: float | None = None) -> Policy:
    return Policy(issuer=ISSUER, audience=AUDIENCE, leeway=leeway, max_age=max_age)


def theirs(*, leeway: float = 0, required: tuple[str, ...] = ("iss", "aud", "exp")) -> Policy:
    return Policy.foreign(
        issuer=ISSUER,
        audience=AUDIENCE,
        algorithms=("Ed25519",),
        leeway=leeway,
        required=required,
    )


def verdict(policy: Policy, at: float, claims: Mapping[str, Any]) -> type[TokenRejected] | None:
    """Return how a verifier whose clock shows ``at`` refuses a token, if it does."""
    verifier = Verifier(jwks=KEYS, policy=policy, denylist=Denylist(), clock=FixedClock(at))
    try:
        verifier.verify(signed(claims))
    except TokenRejected as refusal:
        return type(refusal)
    return None


@pytest.mark.parametrize("leeway", [0, 0.5, 30, 300])
def test_a_token_is_good_until_the_very_moment_it_expires(leeway: float) -> None:
    policy, claims = ours(leeway=leeway), sample_claims(exp=NOW, iat=NOW - 60)

    assert verdict(policy, NOW + leeway - TICK, claims) is None
    assert verdict(policy, NOW + leeway, claims) is Expired
    assert verdict(policy, NOW + leeway + 1e6, claims) is Expired


@pytest.mark.parametrize("leeway", [0, 0.5, 30, 300])
def test_a_token_is_good_from_the_very_moment_of_nbf(leeway: float) -> None:
    policy, claims = ours(leeway=leeway), sample_claims(iat=NOW - 1000, nbf=NOW)

    assert verdict(policy, NOW - leeway, claims) is None
    assert verdict(policy, NOW - leeway - TICK, claims) is NotYetValid


@pytest.mark.parametrize(("leeway", "ahead"), [(0, 10), (9, 10), (10, 10), (30, 30), (300, 300)])
def test_the_clock_of_our_own_issuer_may_be_ten_seconds_ahead(leeway: float, ahead: float) -> None:
    policy, claims = ours(leeway=leeway), sample_claims(iat=NOW)

    assert verdict(policy, NOW - ahead, claims) is None
    assert verdict(policy, NOW - ahead - TICK, claims) is NotYetValid


@pytest.mark.parametrize("leeway", [0, 30])
def test_the_clock_of_a_foreign_issuer_has_only_the_leeway(leeway: float) -> None:
    policy, claims = theirs(leeway=leeway), sample_claims(iat=NOW)

    assert verdict(policy, NOW - leeway, claims) is None
    assert verdict(policy, NOW - leeway - TICK, claims) is NotYetValid


def test_nbf_knows_no_grace_for_the_clock_of_our_own_issuer() -> None:
    claims = sample_claims(iat=NOW, nbf=NOW)

    assert verdict(POLICY, NOW - TICK, claims) is NotYetValid
    assert verdict(POLICY, NOW, claims) is None


def test_the_later_of_nbf_and_iat_counts() -> None:
    assert verdict(POLICY, NOW, sample_claims(iat=NOW + 500, nbf=NOW - 500)) is NotYetValid
    assert verdict(POLICY, NOW, sample_claims(iat=NOW - 500, nbf=NOW + 500)) is NotYetValid


@pytest.mark.parametrize("leeway", [0, 5])
def test_a_token_older_than_max_age_has_expired(leeway: float) -> None:
    policy, claims = ours(max_age=60, leeway=leeway), sample_claims(iat=NOW)

    assert verdict(policy, NOW + 60 + leeway - TICK, claims) is None
    assert verdict(policy, NOW + 60 + leeway, claims) is Expired


def test_max_age_never_makes_a_token_last_longer() -> None:
    assert verdict(ours(max_age=60), NOW + 10, sample_claims(iat=NOW, exp=NOW + 10)) is Expired


def test_fractions_of_a_second_count() -> None:
    claims = sample_claims(exp=NOW + 0.5)

    assert verdict(POLICY, NOW + 0.4, claims) is None
    assert verdict(POLICY, NOW + 0.5, claims) is Expired


def test_a_token_that_never_holds_is_expired_once_it_has_expired() -> None:
    backwards = sample_claims(iat=NOW - 1000, nbf=NOW + 10, exp=NOW - 10)

    assert verdict(POLICY, NOW - 20, backwards) is NotYetValid
    assert verdict(POLICY, NOW, backwards) is Expired


def test_without_iat_only_exp_and_nbf_count() -> None:
    assert verdict(theirs(), 0.0, sample_claims("iat", exp=1)) is None
    assert verdict(theirs(), 1.0, sample_claims("iat", exp=1)) is Expired
    assert verdict(theirs(), 0.0, sample_claims("iat", exp=2, nbf=1)) is NotYetValid


moments = st.floats(NOW - 2000, NOW + 2000)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(
    at=moments,
    dates=st.fixed_dictionaries({"iat": moments, "exp": moments}, optional={"nbf": moments}),
    leeway=st.floats(0, 300),
    max_age=st.none() | st.floats(1, 1000),
)
def test_a_token_holds_exactly_where_every_rule_holds(
    at: float, dates: dict[str, float], leeway: float, max_age: float | None
) -> None:
    iat = dates["iat"]
    ended = at >= dates["exp"] + leeway or (max_age is not None and at >= iat + max_age + leeway)
    begun = at >= iat - max(leeway, 10) and at >= dates.get("nbf", 0) - leeway

    expected = Expired if ended else None if begun else NotYetValid

    assert verdict(ours(leeway=leeway, max_age=max_age), at, sample_claims(**dates)) is expected
