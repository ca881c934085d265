"""Session limits by assurance level, and what they end, with a clock that is moved."""

from __future__ import annotations

from typing import Any

import pytest

import annul
from tests.stage import ACCEPTED, Stage, clock_of_now, outcome, pass_time

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def test_the_limits_are_those_of_the_guideline() -> None:
    assert annul.session_limits("AAL1") == {"session_ttl": 30 * DAY, "idle_ttl": 30 * DAY}
    assert annul.session_limits("AAL2") == {"session_ttl": 24 * HOUR, "idle_ttl": HOUR}
    assert annul.session_limits("AAL3") == {"session_ttl": 12 * HOUR, "idle_ttl": 15 * MINUTE}


@pytest.mark.parametrize("level", ["", "aal2", "AAL4", 2, None, []])
def test_there_are_no_other_levels(level: Any) -> None:  # noqa: ANN401 - anything
    with pytest.raises(annul.Misconfigured):
        annul.session_limits(level)


def test_changing_what_was_returned_changes_no_level() -> None:
    annul.session_limits("AAL3")["session_ttl"] = 1

    assert annul.session_limits("AAL3")["session_ttl"] == 12 * HOUR


@pytest.mark.parametrize("level", ["AAL1", "AAL2", "AAL3"])
def test_a_session_is_over_when_it_was_idle_for_as_long_as_its_level_allows(
    timed_stage: Stage, level: str
) -> None:
    clock = clock_of_now()
    limits = annul.session_limits(level)
    authority = timed_stage.authority(clock=clock, access_ttl=300, **limits)
    used = authority.login("alice", client_id="web")
    idle = authority.login("alice", client_id="web")

    clock.advance(limits["idle_ttl"] - 1)
    used = authority.refresh(used.refresh_token)
    clock.advance(1)

    assert outcome(authority.refresh, idle.refresh_token) == "session_ended"
    at_its_end = limits["idle_ttl"] == limits["session_ttl"]
    assert outcome(authority.refresh, used.refresh_token) == (
        "session_ended" if at_its_end else ACCEPTED
    )


@pytest.mark.parametrize("level", ["AAL2", "AAL3"])
def test_a_session_is_over_at_its_absolute_limit_however_much_it_is_used(
    timed_stage: Stage, level: str
) -> None:
    clock = clock_of_now()
    limits = annul.session_limits(level)
    authority = timed_stage.authority(clock=clock, access_ttl=300, **limits)
    grant = authority.login("alice", client_id="web")
    step = limits["idle_ttl"] // 2
    for _ in range(limits["session_ttl"] // step - 1):
        clock.advance(step)
        grant = authority.refresh(grant.refresh_token)

    clock.advance(step)

    assert outcome(authority.refresh, grant.refresh_token) == "session_ended"
    assert authority.sessions("alice") == ()


def test_no_token_outlives_its_session(timed_stage: Stage) -> None:
    clock = clock_of_now()
    authority = timed_stage.authority(clock=clock, access_ttl=300, session_ttl=400, idle_ttl=400)
    grant = authority.login("alice", client_id="web")
    assert grant.expires_in == 300
    end = clock() + 400

    clock.advance(290)
    grant = authority.refresh(grant.refresh_token)

    assert grant.expires_in == 110
    pass_time(clock, 0, authority.replica)
    assert authority.verify(grant.access_token).expires_at == end
    pass_time(clock, 109, authority.replica)
    assert outcome(authority.verify, grant.access_token) == ACCEPTED
    pass_time(clock, 1, authority.replica)
    assert outcome(authority.verify, grant.access_token) == "expired"


def test_authenticating_again_resets_both_limits_and_renews_every_identifier(
    timed_stage: Stage,
) -> None:
    clock = clock_of_now()
    authority = timed_stage.authority(clock=clock, **annul.session_limits("AAL2"))
    before = authority.login("alice", client_id="web", bound_cookie=True)
    clock.advance(50 * MINUTE)
    after = authority.login("alice", client_id="web", bound_cookie=True)
    authority.logout(before.refresh_token)

    clock.advance(50 * MINUTE)
    (session,) = authority.sessions("alice")
    assert session.expires_at == session.created_at + HOUR == clock() - 50 * MINUTE + HOUR
    assert outcome(authority.refresh, before.refresh_token) == "session_ended"
    renewed = authority.refresh(after.refresh_token)

    assert session.session_id == after.session_id != before.session_id
    assert after.jti != before.jti
    assert after.cookie != before.cookie
    assert after.refresh_token.split(".")[2] != before.refresh_token.split(".")[2]
    (session,) = authority.sessions("alice")
    assert session.expires_at == clock() + HOUR
    assert renewed.session_id == after.session_id
