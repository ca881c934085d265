"""Cut-offs, blocks and sessions together: no rule masks another, and clocks take no part."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

import annul
from tests.stage import ACCEPTED, Stage, await_outcome, clock_of_now, outcome
from tests.waiting import eventually

CutOff = Callable[[annul.Authority], object]
CUT_OFFS: dict[str, CutOff] = {
    "subject": lambda authority: authority.revoke(annul.SubjectId("alice")),
    "client": lambda authority: authority.revoke(annul.ClientId("web")),
    "everything": lambda authority: authority.revoke(annul.Everything()),
}
PAIRS = list(itertools.permutations(CUT_OFFS, 2))


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=["-then-".join(pair) for pair in PAIRS])
def test_a_second_cut_off_never_masks_the_first(stage: Stage, first: str, second: str) -> None:
    # CVE-2026-8922 and CVE-2026-18218: of two "not before" times only one was looked at.
    authority = stage.authority()
    replica = stage.replica()
    before = authority.login("alice", client_id="web")
    CUT_OFFS[first](authority)
    between = authority.login("alice", client_id="web")
    CUT_OFFS[second](authority)
    after = authority.login("alice", client_id="web")
    for verify in (authority.verify, replica.verify, stage.replica().verify):
        await_outcome(verify, between.access_token, "revoked")
        assert outcome(verify, before.access_token) == "revoked"
        assert outcome(verify, after.access_token) == ACCEPTED
    for grant in (before, between):
        assert outcome(authority.refresh, grant.refresh_token) == "session_ended"
    assert outcome(authority.refresh, after.refresh_token) == ACCEPTED


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=["-then-".join(pair) for pair in PAIRS])
def test_each_of_two_cut_offs_still_refuses_what_only_it_covers(
    stage: Stage, first: str, second: str
) -> None:
    authority = stage.authority()
    who = {
        "subject": authority.login("alice", client_id="cli"),
        "client": authority.login("bob", client_id="web"),
        "everything": authority.login("bob", client_id="cli"),
    }
    CUT_OFFS[first](authority)
    CUT_OFFS[second](authority)
    for verify in (authority.verify, stage.replica().verify):
        for name, grant in who.items():
            covered = name in {first, second} or "everything" in {first, second}
            assert outcome(verify, grant.access_token) == ("revoked" if covered else ACCEPTED)


@pytest.mark.parametrize("kind", CUT_OFFS)
def test_a_login_in_the_same_second_is_placed_by_the_log(stage: Stage, kind: str) -> None:
    authority = stage.authority(clock=clock_of_now())  # it stands still
    replica = stage.replica()
    older = authority.login("alice", client_id="web")
    CUT_OFFS[kind](authority)
    newer = authority.login("alice", client_id="web")
    old, new = (outcome(authority.verify, grant.access_token) for grant in (older, newer))
    assert (old, new) == ("revoked", ACCEPTED)
    eventually(lambda: outcome(replica.verify, older.access_token) == "revoked")
    assert outcome(replica.verify, newer.access_token) == ACCEPTED


def test_an_authority_whose_clock_is_behind_cuts_off_all_the_same(stage: Stage) -> None:
    ahead, behind = clock_of_now(), clock_of_now()
    ahead.advance(25)
    behind.advance(-25)
    two = stage.authority(clock=behind)
    one = stage.authority(clock=ahead)
    older = one.login("alice", client_id="web")
    two.revoke(annul.SubjectId("alice"))
    newer = two.login("alice", client_id="web")
    eventually(lambda: outcome(one.verify, older.access_token) == "revoked")
    assert outcome(one.verify, newer.access_token) == ACCEPTED


# --- a user who authenticated earlier -------------------------------------------------------


@pytest.mark.parametrize("kind", CUT_OFFS)
def test_an_authentication_before_the_cut_off_cannot_log_in_after_it(
    stage: Stage, kind: str
) -> None:
    clock = clock_of_now()
    authority = stage.authority(clock=clock)
    CUT_OFFS[kind](authority)
    for early in (clock() - 3600, clock() - 1, clock()):  # an equal second counts as before
        with pytest.raises(annul.SessionEnded):
            authority.login("alice", client_id="web", auth_time=early)
    assert authority.sessions("alice") == ()
    late = authority.login("alice", client_id="web", auth_time=clock() + 30)
    assert outcome(authority.verify, late.access_token) == ACCEPTED


def test_an_authentication_before_somebody_elses_cut_off_is_good(stage: Stage) -> None:
    clock = clock_of_now()
    authority = stage.authority(clock=clock)
    authority.revoke(annul.SubjectId("bob"))
    authority.revoke(annul.ClientId("cli"))
    grant = authority.login("alice", client_id="web", auth_time=clock() - 3600)
    assert outcome(authority.verify, grant.access_token) == ACCEPTED


# --- blocks ---------------------------------------------------------------------------------


def test_unblocking_restores_only_what_was_only_blocked(stage: Stage) -> None:
    authority = stage.authority()
    replica = stage.replica()
    cut_off = authority.login("alice", client_id="web")
    authority.revoke(annul.SubjectId("alice"))
    logged_out = authority.login("alice", client_id="web")
    authority.logout(logged_out.access_token)
    only_blocked = authority.login("alice", client_id="web")
    bystander = authority.login("bob", client_id="web")
    authority.block("alice")
    everybody = (cut_off, logged_out, only_blocked)
    for grant in everybody:
        assert outcome(authority.verify, grant.access_token) == "revoked"
    eventually(lambda: outcome(replica.verify, only_blocked.access_token) == "revoked")
    assert outcome(authority.refresh, only_blocked.refresh_token) == "session_ended"
    assert outcome(replica.verify, bystander.access_token) == ACCEPTED

    authority.unblock("alice")

    expected = ["revoked", "revoked", ACCEPTED]
    eventually(lambda: outcome(replica.verify, only_blocked.access_token) == ACCEPTED)
    for verify in (authority.verify, replica.verify, stage.replica().verify):
        assert [outcome(verify, grant.access_token) for grant in everybody] == expected
    refreshed = [outcome(authority.refresh, grant.refresh_token) for grant in everybody]
    assert refreshed == ["session_ended", "session_ended", ACCEPTED]
    again = authority.login("alice", client_id="web")
    assert outcome(authority.verify, again.access_token) == ACCEPTED


def test_one_unblock_lifts_every_block_that_stands(stage: Stage) -> None:
    authority = stage.authority()
    replica = stage.replica()
    grant = authority.login("alice", client_id="web")
    authority.block("alice")
    authority.block("alice", actor="somebody else")
    authority.unblock("alice")
    eventually(lambda: outcome(replica.verify, grant.access_token) == ACCEPTED)
    assert outcome(authority.verify, grant.access_token) == ACCEPTED


def test_a_block_after_an_unblock_stands(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    authority.block("alice")
    authority.unblock("alice")
    authority.block("alice")
    assert outcome(authority.verify, grant.access_token) == "revoked"
    assert outcome(stage.replica().verify, grant.access_token) == "revoked"
    with pytest.raises(annul.SubjectBlocked):
        authority.login("alice", client_id="web")


def test_unblocking_somebody_who_is_not_blocked_is_harmless(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    authority.unblock("alice")
    assert outcome(authority.verify, grant.access_token) == ACCEPTED
    authority.block("alice")
    assert outcome(authority.verify, grant.access_token) == "revoked"


def test_revoking_while_blocked_outlives_the_block(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    authority.block("alice")
    authority.revoke(annul.SubjectId("alice"))
    authority.unblock("alice")
    assert outcome(authority.verify, grant.access_token) == "revoked"
    assert outcome(authority.refresh, grant.refresh_token) == "session_ended"
    again = authority.login("alice", client_id="web")
    assert outcome(authority.verify, again.access_token) == ACCEPTED
