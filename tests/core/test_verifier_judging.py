"""What overtakes an answer that the verifier remembers: time, a key, a revocation, the binding."""

from __future__ import annotations

import pytest

from annul.core.jwks import JWKS
from annul.core.policy import Policy
from annul.core.revocation import Kind
from annul.errors import Expired, NotBound, NotYetValid, Revoked, UnknownKey
from annul.testing import ISSUER, NOW
from tests.judging import Judge, revocation
from tests.signing import (
    AUDIENCE,
    FOREIGN,
    KEY,
    KEYS,
    OTHER_KEY,
    sample_claims,
    sample_header,
    signed,
)

TARGETS = {
    Kind.TOKEN: "token-1",
    Kind.SESSION: "session-1",
    Kind.SUBJECT: "alice",
    Kind.BLOCK: "alice",
    Kind.CLIENT: "web",
    Kind.KEY: KEY.kid,
    Kind.ISSUER: "",
}


@pytest.fixture(params=[100, 0], ids=["remembering", "forgetful"])
def judge(request: pytest.FixtureRequest) -> Judge:
    """A verifier that remembers, and one that does not: both answer alike."""
    return Judge(cache_size=request.param)


def test_a_remembered_token_expires(judge: Judge) -> None:
    token = signed()
    judge.verify(token)

    judge.clock.advance(899.999)
    judge.verify(token)
    judge.clock.advance(0.001)

    with pytest.raises(Expired):
        judge.verify(token)


def test_a_remembered_token_grows_too_old() -> None:
    judge = Judge(policy=Policy(issuer=ISSUER, audience=AUDIENCE, max_age=60))
    token = signed()
    judge.verify(token)

    judge.clock.advance(60)

    with pytest.raises(Expired):
        judge.verify(token)


def test_a_remembered_token_is_too_early_when_the_clock_is_set_back(judge: Judge) -> None:
    token = signed(sample_claims(nbf=NOW))
    judge.verify(token)

    judge.clock.advance(-1)
    with pytest.raises(NotYetValid):
        judge.verify(token)

    judge.clock.advance(1)
    judge.verify(token)


@pytest.mark.parametrize("kind", TARGETS)
def test_a_remembered_token_dies_with_a_revocation(judge: Judge, kind: Kind) -> None:
    token = signed()
    judge.verify(token)
    entry = revocation(kind, TARGETS[kind])

    judge.denylist.apply([entry])

    for _ in range(2):
        with pytest.raises(Revoked) as caught:
            judge.verify(token)
        assert caught.value.revocation == entry


@pytest.mark.parametrize("kind", TARGETS)
def test_a_revocation_of_something_else_changes_nothing(judge: Judge, kind: Kind) -> None:
    token = signed()
    first = judge.verify(token)

    judge.denylist.apply([revocation(kind, "another", seq=1)])

    assert judge.verify(token).jti == first.jti


def test_a_cut_off_spares_a_remembered_token_whose_session_began_at_it(judge: Judge) -> None:
    token = signed(sample_claims(since=[7, 50]))
    judge.verify(token)

    judge.denylist.apply([revocation(Kind.SUBJECT, "alice", seq=50)])
    judge.verify(token)
    judge.denylist.apply([revocation(Kind.SUBJECT, "alice", seq=51)])

    with pytest.raises(Revoked):
        judge.verify(token)


@pytest.mark.parametrize(
    ("auth_time", "refused"), [(NOW - 60, True), (NOW + 0.9, True), (NOW + 1, False)]
)
def test_a_cut_off_reaches_a_login_that_was_proven_before_it(
    judge: Judge, auth_time: float, refused: bool
) -> None:
    token = signed(sample_claims(since=[7, 99], auth_time=auth_time))
    judge.verify(token)

    judge.denylist.apply([revocation(Kind.SUBJECT, "alice", seq=50)])

    if refused:
        with pytest.raises(Revoked):
            judge.verify(token)
    else:
        assert judge.verify(token).since == (7, 99)


def test_a_foreign_token_is_placed_by_the_time_it_was_issued() -> None:
    judge = Judge(policy=FOREIGN)
    before = signed(sample_claims("since", "sid", iat=NOW - 1, jti="before"))
    after = signed(sample_claims("since", "sid", iat=NOW + 1, jti="after"))
    undated = Judge(
        policy=Policy.foreign(
            issuer=ISSUER,
            audience=AUDIENCE,
            algorithms=("Ed25519",),
            required=("iss", "sub", "aud", "exp", "jti"),
        )
    )

    for judging in (judge, undated):
        judging.denylist.apply([revocation(Kind.SUBJECT, "alice")])
        judging.clock.advance(2)

    assert judge.verify(after).jti == "after"
    with pytest.raises(Revoked):
        judge.verify(before)
    # Without a date it may have begun at any time.
    with pytest.raises(Revoked):
        undated.verify(signed(sample_claims("since", "sid", "iat")))


def test_lifting_a_block_lets_a_remembered_token_back_in(judge: Judge) -> None:
    token = signed()
    block = revocation(Kind.BLOCK, "alice")
    judge.verify(token)
    judge.denylist.apply([block])
    with pytest.raises(Revoked):
        judge.verify(token)

    judge.denylist.apply([revocation(Kind.UNBLOCK, "alice", lifts=(block.tag,))])

    assert judge.verify(token).subject == "alice"


def test_a_remembered_token_dies_with_its_key(judge: Judge) -> None:
    token = signed()
    judge.verify(token)

    judge.verifier.trust(JWKS([OTHER_KEY.public]))
    with pytest.raises(UnknownKey):
        judge.verify(token)

    judge.verifier.trust(KEYS)
    assert judge.verify(token).subject == "alice"
    assert judge.verifier.jwks == KEYS


def test_a_nameless_token_dies_when_a_second_key_is_trusted(judge: Judge) -> None:
    token = signed(header=sample_header("kid"))
    judge.verify(token)

    judge.verifier.trust(JWKS([KEY.public, OTHER_KEY.public]))

    with pytest.raises(UnknownKey):
        judge.verify(token)


def test_binding_is_asked_for_every_time(judge: Judge) -> None:
    token = signed(sample_claims(cnf={"jkt": "thumb"}))
    judge.verify(token, {"jkt": "thumb"})

    for binding in (None, {}, {"jkt": "other"}, {"jkt": ""}, {"x5t#S256": "thumb"}):
        with pytest.raises(NotBound):
            judge.verify(token, binding)

    assert judge.verify(token, {"jkt": "thumb", "x5t#S256": "more"}).jti == "token-1"


@pytest.mark.parametrize(
    "cnf",
    [{}, {"jkt": 5}, {"jkt": None}, {"jkt": ["thumb"]}, {"jkt": "thumb", "kid": "k"}, [], "x", 5],
)
def test_a_confirmation_that_cannot_be_met_is_never_met(judge: Judge, cnf: object) -> None:
    with pytest.raises(NotBound):
        judge.verify(signed(sample_claims(cnf=cnf)), {"jkt": "thumb"})
