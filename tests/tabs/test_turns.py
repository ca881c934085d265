"""Tabs, owners and thieves taking turns, one step at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import annul
from annul.core.encoding import b64url_decode
from tests.stage import ACCEPTED, Stage, clock_of_now, outcome

if TYPE_CHECKING:
    from annul.testing import FixedClock

GRACE = 10.0


@pytest.fixture
def clock() -> FixedClock:
    return clock_of_now()


@pytest.fixture
def authority(timed_stage: Stage, clock: FixedClock) -> annul.Authority:
    return timed_stage.authority(clock=clock, grace=GRACE)


@pytest.mark.parametrize("tabs", [2, 3, 10])
@pytest.mark.parametrize("goes_on", ["the first", "the last"])
def test_whichever_tab_goes_on_the_others_are_not_logged_out(
    authority: annul.Authority, clock: FixedClock, tabs: int, goes_on: str
) -> None:
    token = authority.login("alice", client_id="web").refresh_token
    for _ in range(3):
        answers = []
        for _ in range(tabs):
            answers.append(authority.refresh(token).refresh_token)
            clock.advance(GRACE / tabs)
        assert len(set(answers)) == 1
        token = answers[0] if goes_on == "the first" else answers[-1]
        clock.advance(100 * GRACE)
    assert len(authority.sessions("alice")) == 1


def test_a_token_two_generations_old_is_a_replay_even_inside_the_window(
    authority: annul.Authority, clock: FixedClock
) -> None:
    first = authority.login("alice", client_id="web")
    second = authority.refresh(first.refresh_token)
    clock.advance(1)
    third = authority.refresh(second.refresh_token)
    clock.advance(1)
    with pytest.raises(annul.RefreshReplayed):
        authority.refresh(first.refresh_token)
    assert outcome(authority.refresh, third.refresh_token) == "session_ended"


@pytest.mark.parametrize("first", ["owner", "thief"])
def test_inside_the_window_thief_and_owner_get_one_token_and_the_later_use_of_it_ends_it(
    authority: annul.Authority, clock: FixedClock, first: str
) -> None:
    stolen = authority.login("alice", client_id="web").refresh_token
    held = {}
    for name in (first, "thief" if first == "owner" else "owner"):
        held[name] = authority.refresh(stolen).refresh_token
        clock.advance(GRACE / 2)
    assert held["owner"] == held["thief"]

    clock.advance(100 * GRACE)
    newest = authority.refresh(held["thief"])
    clock.advance(GRACE + 1)
    with pytest.raises(annul.RefreshReplayed):
        authority.refresh(held["owner"])

    assert outcome(authority.refresh, newest.refresh_token) == "session_ended"
    assert authority.sessions("alice") == ()


def test_the_store_has_no_part_of_a_refresh_token_that_is_secret(file_stage: Stage) -> None:
    authority = file_stage.authority()
    first = authority.login("alice", client_id="web")
    second = authority.refresh(first.refresh_token)
    authority.close()

    files = [path for path in file_stage.folder.iterdir() if path.name.startswith("annul.db")]
    stored = b"".join(path.read_bytes() for path in files)
    assert first.session_id.encode() in stored  # it is the right file
    for token in (first.refresh_token, second.refresh_token):
        _version, _key, family, _generation, tag = token.split(".")
        assert len(b64url_decode(family)) * 8 >= 128
        for secret in (family, tag):
            assert secret.encode() not in stored
            assert b64url_decode(secret) not in stored


def test_two_logins_share_no_part_of_their_refresh_tokens(authority: annul.Authority) -> None:
    tokens = [authority.login("alice", client_id="web").refresh_token for _ in range(50)]
    families, tags = (
        {token.split(".")[2] for token in tokens},
        {token.split(".")[4] for token in tokens},
    )
    assert (len(families), len(tags)) == (50, 50)


def test_a_logout_and_a_revocation_of_the_session_tell_verifiers_the_same(
    file_stage: Stage,
) -> None:
    authority = file_stage.authority()
    one, two = (authority.login("alice", client_id="web") for _ in range(2))
    authority.logout(one.access_token)
    authority.revoke(annul.SessionId(two.session_id), reason="logout")

    logout, revocation = file_stage.entries()
    assert (logout.kind, logout.reason) == (revocation.kind, revocation.reason)
    assert {logout.id, revocation.id} == {one.session_id, two.session_id}
    for grant in (one, two):
        assert outcome(authority.refresh, grant.refresh_token) == "session_ended"


def test_ending_one_session_leaves_every_other_of_the_user_alone(
    authority: annul.Authority,
) -> None:
    ended, *others = (authority.login("alice", client_id=name) for name in ("web", "web", "cli"))
    authority.revoke(annul.SessionId(ended.session_id))
    assert outcome(authority.refresh, ended.refresh_token) == "session_ended"
    assert {outcome(authority.refresh, each.refresh_token) for each in others} == {ACCEPTED}
