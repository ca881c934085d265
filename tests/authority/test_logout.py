"""Logging out ends exactly the session that the token belongs to, however it is presented."""

from __future__ import annotations

import pytest

import annul
from tests.stage import ACCEPTED, Stage, await_outcome, clock_of_now, outcome, pass_time
from tests.waiting import eventually

ENDED = "session_ended"


def two_sessions(authority: annul.Authority) -> tuple[annul.Grant, annul.Grant]:
    return authority.login("alice", client_id="web"), authority.login("alice", client_id="web")


def assert_only_the_first_is_over(
    authority: annul.Authority, replica: annul.Replica, ended: annul.Grant, other: annul.Grant
) -> None:
    assert outcome(authority.verify, ended.access_token) == "revoked"
    eventually(lambda: outcome(replica.verify, ended.access_token) == "revoked")
    assert outcome(authority.refresh, ended.refresh_token) == ENDED
    assert outcome(authority.verify, other.access_token) == ACCEPTED
    assert outcome(replica.verify, other.access_token) == ACCEPTED
    assert [info.session_id for info in authority.sessions("alice")] == [other.session_id]
    assert outcome(authority.refresh, other.refresh_token) == ACCEPTED


@pytest.mark.parametrize("presented", ["access_token", "refresh_token"])
def test_logout_ends_this_session_and_no_other(stage: Stage, presented: str) -> None:
    authority = stage.authority()
    replica = stage.replica()
    ended, other = two_sessions(authority)
    receipt = authority.logout(getattr(ended, presented))
    assert receipt.seq == 1
    assert_only_the_first_is_over(authority, replica, ended, other)


def test_logout_ends_every_token_of_the_session(stage: Stage) -> None:
    authority = stage.authority()
    first = authority.login("alice", client_id="web")
    second = authority.refresh(first.refresh_token)
    authority.logout(first.access_token)
    assert outcome(authority.verify, first.access_token) == "revoked"
    assert outcome(authority.verify, second.access_token) == "revoked"
    assert outcome(authority.refresh, second.refresh_token) == ENDED


def test_an_expired_access_token_still_logs_out(stage: Stage) -> None:
    clock = clock_of_now()
    authority = stage.authority(clock=clock, access_ttl=10)
    ended, other = two_sessions(authority)
    pass_time(clock, 11, authority.replica)
    assert outcome(authority.verify, ended.access_token) == "expired"

    authority.logout(ended.access_token)

    assert outcome(authority.refresh, ended.refresh_token) == ENDED
    assert outcome(authority.refresh, other.refresh_token) == ACCEPTED


def test_a_used_up_refresh_token_still_logs_out(stage: Stage) -> None:
    authority = stage.authority()
    first = authority.login("alice", client_id="web")
    second = authority.refresh(first.refresh_token)
    third = authority.refresh(second.refresh_token)
    authority.logout(first.refresh_token)
    assert outcome(authority.refresh, third.refresh_token) == ENDED


@pytest.mark.parametrize("presented", ["access_token", "refresh_token"])
def test_logging_out_twice_is_harmless(stage: Stage, presented: str) -> None:
    authority = stage.authority()
    replica = stage.replica()
    ended, other = two_sessions(authority)
    authority.logout(getattr(ended, presented))
    authority.logout(getattr(ended, presented))
    assert_only_the_first_is_over(authority, replica, ended, other)


def test_a_login_after_logout_is_good(stage: Stage) -> None:
    authority = stage.authority()
    replica = stage.replica()
    authority.logout(authority.login("alice", client_id="web").access_token)
    again = authority.login("alice", client_id="web")
    assert outcome(authority.verify, again.access_token) == ACCEPTED
    assert outcome(replica.verify, again.access_token) == ACCEPTED


def test_another_authority_of_the_store_can_log_out(stage: Stage) -> None:
    one, two = stage.authority(), stage.authority()
    ended, other = two_sessions(one)
    two.logout(ended.refresh_token)
    eventually(lambda: outcome(one.verify, ended.access_token) == "revoked")
    assert outcome(one.verify, other.access_token) == ACCEPTED


def changed(text: str, at: int) -> str:
    """Return the text with one character replaced by another of the same alphabet."""
    return text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]


def test_what_is_not_genuine_logs_nobody_out(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    handle, token = grant.refresh_token, grant.access_token
    for forged in (changed(handle, 20), changed(handle, -10), handle + "A", "v1.", "v1.a.b.0.c"):
        with pytest.raises(annul.InvalidGrant):
            authority.logout(forged)
    for forged in (changed(token, -10), changed(token, len(token) // 2), "", "a.b.c", "🙂"):
        with pytest.raises(annul.TokenRejected):
            authority.logout(forged)
    assert stage.entries() == ()
    assert outcome(authority.verify, token) == ACCEPTED


def test_a_token_of_another_issuer_logs_nobody_out(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    with annul.Authority.open(
        "memory://elsewhere", issuer="https://other.example", audience="https://api.example"
    ) as elsewhere:
        foreign = elsewhere.login("alice", client_id="web")
    with pytest.raises(annul.UnknownKey):
        authority.logout(foreign.access_token)
    with pytest.raises(annul.InvalidGrant):
        authority.logout(foreign.refresh_token)
    assert outcome(authority.verify, grant.access_token) == ACCEPTED


# --- the others -----------------------------------------------------------------------------


def test_end_others_keeps_the_session_that_asks(stage: Stage) -> None:
    authority = stage.authority()
    replica = stage.replica()
    mine = authority.login("alice", client_id="web")
    others = [authority.login("alice", client_id=client) for client in ("web", "cli", "tv")]
    stranger = authority.login("bob", client_id="web")

    receipt = authority.end_others(mine.access_token)

    assert receipt.sessions == 3
    assert len(stage.entries()) == 3  # one for each session, and no cut-off
    for other in others:
        assert outcome(authority.verify, other.access_token) == "revoked"
        await_outcome(replica.verify, other.access_token, "revoked")
        assert outcome(authority.refresh, other.refresh_token) == ENDED
    for good in (mine, stranger):
        assert outcome(authority.verify, good.access_token) == ACCEPTED
        assert outcome(replica.verify, good.access_token) == ACCEPTED
        assert outcome(authority.refresh, good.refresh_token) == ACCEPTED


def test_end_others_writes_nothing_where_there_are_none(stage: Stage) -> None:
    authority = stage.authority()
    mine = authority.login("alice", client_id="web")
    receipt = authority.end_others(mine.access_token)
    assert (receipt.seq, receipt.sessions) == (None, 0)
    assert stage.entries() == ()


def test_end_others_needs_a_token_that_verifies(stage: Stage) -> None:
    authority = stage.authority()
    mine, other = two_sessions(authority)
    authority.logout(mine.access_token)
    with pytest.raises(annul.Revoked):
        authority.end_others(mine.access_token)
    assert outcome(authority.verify, other.access_token) == ACCEPTED
