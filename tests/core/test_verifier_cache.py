"""What the verifier remembers, by which text, and how much of it."""

from __future__ import annotations

import pytest

from annul.core.revocation import Kind
from annul.errors import (
    BadSignature,
    ClaimMismatch,
    Expired,
    Malformed,
    TokenRejected,
    UnknownKey,
)
from annul.testing import NOW
from tests.judging import Judge, revocation
from tests.signing import OTHER_KEY, sample_claims, sample_header, signed


@pytest.fixture(params=[100, 0], ids=["remembering", "forgetful"])
def judge(request: pytest.FixtureRequest) -> Judge:
    """A verifier that remembers, and one that does not: both answer alike."""
    return Judge(cache_size=request.param)


# --- what is remembered, and what is not ----------------------------------------------


def test_the_same_text_is_verified_once() -> None:
    judge = Judge()
    token = signed()

    assert judge.verify(token) is judge.verify(token)
    assert judge.verify(token.encode()) is judge.verify(token)


def test_a_cache_of_no_size_remembers_nothing() -> None:
    judge = Judge(cache_size=0)
    token = signed()

    assert judge.verify(token) is not judge.verify(token)
    assert judge.remembered == 0


@pytest.mark.parametrize("size", [2, 3, 10, 11])
def test_the_cache_never_holds_more_than_its_size(size: int) -> None:
    judge = Judge(cache_size=size)

    for number in range(3 * size):
        judge.verify(signed(sample_claims(jti=f"token-{number}")))
        assert judge.remembered <= size


def test_a_token_in_use_stays_while_others_come_and_go() -> None:
    judge = Judge(cache_size=10)
    token = signed()
    first = judge.verify(token)

    for number in range(100):
        judge.verify(signed(sample_claims(jti=f"other-{number}")))
        assert judge.verify(token) is first


def test_nothing_that_was_refused_is_remembered() -> None:
    judge = Judge()
    header, payload, _signature = signed().split(".")
    refused = [
        signed(key=OTHER_KEY),
        signed(sample_claims("jti")),
        f"{header}.{payload}.",
        "x",
    ]

    for token in refused:
        with pytest.raises(TokenRejected):
            judge.verify(token)

    assert judge.remembered == 0


def test_a_trusted_header_vouches_for_no_other_payload() -> None:
    judge = Judge()
    judge.verify(signed())
    header, payload, signature = signed(sample_claims(sub="mallory")).split(".")
    _header, _payload, good = signed().split(".")

    with pytest.raises(BadSignature):
        judge.verify(f"{header}.{payload}.{good}")
    assert judge.verify(f"{header}.{payload}.{signature}").subject == "mallory"


def test_headers_are_remembered_within_a_bound() -> None:
    judge = Judge(cache_size=0)

    for number in range(300):
        judge.verify(signed(header=sample_header(number=number)))
        assert len(judge.verifier._trust.headers) <= 256


# --- text that is not what it says ----------------------------------------------------


class Sneaky(str):
    """Equal to everything, and filed where another text is."""

    __slots__ = ("victim",)
    victim: str

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash(self.victim)

    def __str__(self) -> str:
        return self.victim


def test_a_text_that_claims_to_equal_another_is_judged_by_what_it_holds(judge: Judge) -> None:
    good, forged = signed(), signed(sample_claims(sub="root"), key=OTHER_KEY)
    judge.verify(good)
    sneaky = Sneaky(forged)
    sneaky.victim = good

    with pytest.raises(BadSignature):
        judge.verify(sneaky)

    assert judge.verify(good).subject == "alice"
    genuine = Sneaky(good)
    genuine.victim = forged
    assert judge.verify(genuine).subject == "alice"
    with pytest.raises(BadSignature):
        judge.verify(forged)


@pytest.mark.parametrize(
    "thing", [None, 5, b"\xff", bytearray(b"a.b.c"), ["a.b.c"], "", b"", "é.b.c"]
)
def test_what_is_no_text_is_malformed(judge: Judge, thing: object) -> None:
    with pytest.raises(Malformed):
        judge.verify(thing)  # type: ignore[arg-type]  # what is tested


# --- verify_ended ---------------------------------------------------------------------


@pytest.mark.parametrize("dates", [{"exp": NOW - 1e6}, {"nbf": NOW + 1e6}, {"cnf": {"jkt": "t"}}])
def test_a_genuine_token_may_end_its_session_however_old(
    judge: Judge, dates: dict[str, object]
) -> None:
    token = signed(sample_claims(**dates))
    judge.denylist.apply([revocation(Kind.SUBJECT, "alice")])

    assert judge.verifier.verify_ended(token).session_id == "session-1"

    with pytest.raises(TokenRejected):
        judge.verify(token)


def test_a_token_that_is_not_genuine_ends_nothing(judge: Judge) -> None:
    for token, refusal in [
        (signed(key=OTHER_KEY), BadSignature),
        (signed(header=sample_header(kid="nobody")), UnknownKey),
        (signed(sample_claims(iss="https://other.example")), ClaimMismatch),
        (signed(sample_claims("sid")), ClaimMismatch),
        ("x", Malformed),
    ]:
        with pytest.raises(refusal):
            judge.verifier.verify_ended(token)


def test_ending_a_session_with_an_expired_token_does_not_make_it_good(judge: Judge) -> None:
    token = signed(sample_claims(exp=NOW))

    judge.verifier.verify_ended(token)

    with pytest.raises(Expired):
        judge.verify(token)
