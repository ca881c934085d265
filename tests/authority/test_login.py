"""What a login gives: a session in the store and an access token that verifies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import annul
from tests.stage import ACCEPTED, AUDIENCE, ISSUER, Stage, clock_of_now, outcome

if TYPE_CHECKING:
    from collections.abc import Callable

HOUR = 3600
JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"  # RFC 9449 §6.1


def test_a_login_gives_a_token_that_verifies_here_and_at_a_replica(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    replica = stage.replica()
    for verify in (authority.verify, replica.verify):
        token = verify(grant.access_token)
        assert (token.subject, token.client_id) == ("alice", "web")
        assert (token.session_id, token.jti) == (grant.session_id, grant.jti)


def test_an_access_token_has_the_documented_claims_and_no_others(stage: Stage) -> None:
    clock = clock_of_now()
    authority = stage.authority(clock=clock, access_ttl=600)
    receipt = authority.block("bob")
    grant = authority.login(
        "alice",
        client_id="web",
        scope="read write",
        claims={"roles": ["staff"], "tenant": None},
        auth_time=clock() - 5,
        jkt=JKT,
        device="never in a token",
    )
    token = authority.verify(grant.access_token, binding={"jkt": JKT})
    assert dict(token.claims) == {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "client_id": "web",
        "iat": int(clock()),
        "exp": int(clock()) + 600,
        "jti": grant.jti,
        "sid": grant.session_id,
        "since": [receipt.epoch, receipt.seq],
        "scope": "read write",
        "auth_time": int(clock()) - 5,
        "cnf": {"jkt": JKT},
        "roles": ["staff"],
        "tenant": None,
    }
    assert (grant.expires_in, grant.scope, grant.token_type) == (600, "read write", "DPoP")


def test_a_plain_login_has_only_the_claims_that_it_needs(stage: Stage) -> None:
    grant = stage.authority().login("alice", client_id="web")
    token = stage.replica().verify(grant.access_token)
    names = {"iss", "aud", "sub", "client_id", "iat", "exp", "jti", "sid", "since"}
    assert set(token.claims) == names
    assert (grant.scope, grant.token_type) == ("", "Bearer")


def test_a_token_for_several_audiences_is_good_at_each_of_them(stage: Stage) -> None:
    authority = stage.authority(audience=("https://api.example", "https://other.example"))
    grant = authority.login("alice", client_id="web")
    other = annul.Policy(issuer=ISSUER, audience="https://other.example")
    third = annul.Policy(issuer=ISSUER, audience="https://third.example")
    assert outcome(stage.replica().verify, grant.access_token) == ACCEPTED
    assert outcome(stage.replica(other).verify, grant.access_token) == ACCEPTED
    assert outcome(stage.replica(third).verify, grant.access_token) == "claim_mismatch"


def test_every_login_is_a_session_of_its_own(stage: Stage) -> None:
    authority = stage.authority()
    grants = [authority.login("alice", client_id="web") for _ in range(3)]
    assert len({grant.session_id for grant in grants}) == 3
    assert len({grant.jti for grant in grants}) == 3
    assert len({grant.refresh_token for grant in grants}) == 3


def test_sessions_are_listed_oldest_first_with_their_limits(timed_stage: Stage) -> None:
    clock = clock_of_now()
    authority = timed_stage.authority(clock=clock, session_ttl=2 * HOUR, idle_ttl=HOUR)
    first = authority.login("alice", client_id="web", device="Firefox on Linux", scope="read")
    clock.advance(10)
    second = authority.login("alice", client_id="cli")
    authority.login("bob", client_id="web")

    older, newer = authority.sessions("alice")

    assert older == annul.SessionInfo(
        session_id=first.session_id,
        subject="alice",
        client_id="web",
        device="Firefox on Linux",
        scope="read",
        created_at=clock() - 10,
        last_seen=clock() - 10,
        expires_at=clock() - 10 + HOUR,
    )
    assert (newer.session_id, newer.device) == (second.session_id, None)
    assert authority.sessions("nobody") == ()


def test_a_refresh_moves_the_idle_limit_and_never_the_absolute_one(timed_stage: Stage) -> None:
    clock = clock_of_now()
    authority = timed_stage.authority(clock=clock, session_ttl=2 * HOUR, idle_ttl=HOUR + 1800)
    grant = authority.login("alice", client_id="web")
    began = clock()
    clock.advance(HOUR)
    grant = authority.refresh(grant.refresh_token)
    (session,) = authority.sessions("alice")
    assert session.last_seen == began + HOUR
    assert session.expires_at == began + 2 * HOUR

    clock.advance(HOUR)
    assert authority.sessions("alice") == ()
    assert outcome(authority.refresh, grant.refresh_token) == "session_ended"


def test_a_session_that_lies_idle_is_over(timed_stage: Stage) -> None:
    clock = clock_of_now()
    authority = timed_stage.authority(clock=clock, session_ttl=2 * HOUR, idle_ttl=HOUR)
    grant = authority.login("alice", client_id="web")
    clock.advance(HOUR)
    assert outcome(authority.refresh, grant.refresh_token) == "session_ended"


def test_a_blocked_account_cannot_log_in(stage: Stage) -> None:
    authority = stage.authority()
    authority.block("alice")
    with pytest.raises(annul.SubjectBlocked):
        authority.login("alice", client_id="web")
    assert authority.sessions("alice") == ()


@pytest.mark.parametrize(
    "login",
    [
        lambda authority: authority.login(7, client_id="web"),
        lambda authority: authority.login("", client_id="web"),
        lambda authority: authority.login("a\nb", client_id="web"),
        lambda authority: authority.login("\ud800", client_id="web"),
        lambda authority: authority.login("a" * 1025, client_id="web"),
        lambda authority: authority.login("web", client_id="web"),
        lambda authority: authority.login("alice", client_id=None),
        lambda authority: authority.login("alice", client_id="web", scope=["read"]),
        lambda authority: authority.login("alice", client_id="web", claims={"exp": 1}),
        lambda authority: authority.login("alice", client_id="web", claims={"a": float("nan")}),
        lambda authority: authority.login("alice", client_id="web", claims={"a": "x" * 9000}),
        lambda authority: authority.login("alice", client_id="web", device="x" * 201),
        lambda authority: authority.login("alice", client_id="web", auth_time=True),
        lambda authority: authority.login("alice", client_id="web", auth_time=float("nan")),
        lambda authority: authority.login("alice", client_id="web", auth_time=9e9),
        lambda authority: authority.login("alice", client_id="web", jkt=""),
        lambda authority: authority.login("alice", client_id="web", jkt="thumbprint"),
        lambda authority: authority.login("alice", client_id="web", jkt=JKT + "="),
        lambda authority: authority.login("alice", client_id="web", jkt=JKT[:-1] + "J"),
        lambda authority: authority.login("alice", client_id="web", jkt=JKT.encode()),
    ],
)
def test_an_argument_that_cannot_be_used_begins_no_session(
    stage: Stage, login: Callable[[Any], object]
) -> None:
    authority = stage.authority()
    with pytest.raises(annul.InvalidRequest):
        login(authority)
    receipt = authority.revoke(annul.Everything(), dry_run=True)
    assert receipt.sessions == 0
