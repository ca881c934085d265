"""Refreshing: one successor, retries inside the grace window, and what a used-up token does."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

import annul
from tests.stage import ACCEPTED, Stage, clock_of_now, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    from annul.testing import FixedClock

GRACE = 10.0
THREADS = 16
JKT = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"  # RFC 9449 §6.1


@pytest.fixture
def clock() -> FixedClock:
    return clock_of_now()


@pytest.fixture
def authority(stage: Stage) -> annul.Authority:
    return stage.authority(grace=GRACE)


@pytest.fixture
def timed(timed_stage: Stage, clock: FixedClock) -> annul.Authority:
    """An authority whose sessions live by ``clock``; a server tells the time itself."""
    return timed_stage.authority(clock=clock, grace=GRACE)


def test_a_refresh_gives_a_fresh_access_token_of_the_same_session(
    timed: annul.Authority, clock: FixedClock
) -> None:
    first = timed.login("alice", client_id="web", scope="read", claims={"tenant": 7})
    clock.advance(3)
    second = timed.refresh(first.refresh_token)
    assert second.session_id == first.session_id
    assert second.refresh_token != first.refresh_token
    assert second.jti != first.jti
    eventually(lambda: timed.replica.fresh)
    old, new = timed.verify(first.access_token), timed.verify(second.access_token)
    assert (new.since, new.scopes, new.claims["tenant"]) == (old.since, old.scopes, 7)
    assert new.expires_at == old.expires_at + 3


def test_a_retry_inside_the_grace_window_gives_the_same_successor(
    timed: annul.Authority, clock: FixedClock
) -> None:
    first = timed.login("alice", client_id="web")
    second = timed.refresh(first.refresh_token)
    clock.advance(GRACE)
    assert timed.refresh(first.refresh_token).refresh_token == second.refresh_token
    third = timed.refresh(second.refresh_token)
    assert third.refresh_token not in {first.refresh_token, second.refresh_token}


def test_retrying_does_not_extend_the_grace_window(
    timed: annul.Authority, clock: FixedClock
) -> None:
    first = timed.login("alice", client_id="web")
    timed.refresh(first.refresh_token)
    for _ in range(2):
        clock.advance(GRACE / 2)
        timed.refresh(first.refresh_token)
    clock.advance(1)
    with pytest.raises(annul.RefreshReplayed):
        timed.refresh(first.refresh_token)


def test_the_predecessor_after_the_grace_window_ends_the_session(
    timed_stage: Stage, timed: annul.Authority, clock: FixedClock
) -> None:
    replica = timed_stage.replica()
    bystander = timed.login("alice", client_id="web")
    first = timed.login("alice", client_id="web")
    second = timed.refresh(first.refresh_token)
    clock.advance(GRACE + 1)
    eventually(lambda: timed.replica.fresh)

    with pytest.raises(annul.RefreshReplayed):
        timed.refresh(first.refresh_token)

    # The store writes one in the same step, and the authority one that it has proven.
    for entry in timed_stage.entries():
        assert (entry.kind, entry.id) == (annul.Kind.SESSION, first.session_id)
        assert entry.reason is annul.Reason.REFRESH_REUSE
    assert [bool(entry.proof) for entry in timed_stage.entries()] == [False, True]
    assert outcome(timed.verify, second.access_token) == "revoked"
    eventually(lambda: outcome(replica.verify, second.access_token) == "revoked")
    assert outcome(timed.refresh, second.refresh_token) == "session_ended"
    assert outcome(replica.verify, bystander.access_token) == ACCEPTED


def test_without_a_grace_window_the_predecessor_ends_the_session(stage: Stage) -> None:
    authority = stage.authority(grace=0)
    first = authority.login("alice", client_id="web")
    second = authority.refresh(first.refresh_token)
    with pytest.raises(annul.RefreshReplayed):
        authority.refresh(first.refresh_token)
    assert outcome(authority.refresh, second.refresh_token) == "session_ended"
    assert {entry.kind for entry in stage.entries()} == {annul.Kind.SESSION}


def test_a_retry_gives_the_same_successor(authority: annul.Authority) -> None:
    first = authority.login("alice", client_id="web")
    second = authority.refresh(first.refresh_token)
    assert authority.refresh(first.refresh_token).refresh_token == second.refresh_token


def test_anything_older_than_the_predecessor_ends_the_session_at_once(
    stage: Stage, authority: annul.Authority
) -> None:
    first = authority.login("alice", client_id="web")
    second = authority.refresh(first.refresh_token)
    third = authority.refresh(second.refresh_token)
    with pytest.raises(annul.RefreshReplayed):
        authority.refresh(first.refresh_token)
    assert outcome(authority.refresh, third.refresh_token) == "session_ended"
    assert outcome(authority.refresh, first.refresh_token) == "session_ended"
    assert {entry.kind for entry in stage.entries()} == {annul.Kind.SESSION}


def test_a_session_bound_to_a_key_may_retry_without_limit(
    timed: annul.Authority, clock: FixedClock
) -> None:
    first = timed.login("alice", client_id="web", jkt=JKT)
    second = timed.refresh(first.refresh_token, jkt=JKT)
    clock.advance(100 * GRACE)
    again = timed.refresh(first.refresh_token, jkt=JKT)
    assert again.refresh_token == second.refresh_token


@pytest.mark.parametrize("shown", [None, "A" * 43])
def test_a_token_in_the_wrong_hands_neither_rotates_nor_ends_anything(
    timed_stage: Stage, timed: annul.Authority, clock: FixedClock, shown: str | None
) -> None:
    first = timed.login("alice", client_id="web", jkt=JKT)
    second = timed.refresh(first.refresh_token, jkt=JKT)
    clock.advance(GRACE + 1)
    for stolen in (first, second):
        with pytest.raises(annul.InvalidGrant) as refused:
            timed.refresh(stolen.refresh_token, jkt=shown)
        assert refused.value.code == "invalid_grant"
        with pytest.raises(annul.InvalidGrant) as refused:
            timed.refresh(stolen.refresh_token, client_id="cli", jkt=JKT)
        assert refused.value.code == "invalid_grant"
    assert timed_stage.entries() == ()
    third = timed.refresh(second.refresh_token, client_id="web", jkt=JKT)
    assert third.session_id == first.session_id


@pytest.mark.parametrize(
    "garbage",
    [
        "",
        "v1",
        "v1.",
        "v1.a.b.0.c",
        "v1.." + "A" * 22 + ".0." + "A" * 43,
        "a.b.c",
        "x" * 4096,
        "🙂",
    ],
)
def test_garbage_is_refused_and_ends_nothing(
    stage: Stage, authority: annul.Authority, garbage: str
) -> None:
    grant = authority.login("alice", client_id="web")
    with pytest.raises(annul.InvalidGrant):
        authority.refresh(garbage)
    assert stage.entries() == ()
    assert outcome(authority.refresh, grant.refresh_token) == ACCEPTED


def test_a_tampered_token_ends_nothing(stage: Stage, authority: annul.Authority) -> None:
    first = authority.login("alice", client_id="web")
    second = authority.refresh(first.refresh_token)
    third = authority.refresh(second.refresh_token)
    version, key, family, generation, tag = third.refresh_token.split(".")
    other = "A" if family[0] != "A" else "B"
    for parts in (
        (version, key, family, str(int(generation) - 2), tag),  # would be a replay
        (version, key, family, str(int(generation) + 5), tag),  # would be ahead of the store
        (version, key, other + family[1:], generation, tag),
        (version, key + "A", family, generation, tag),
        (version, key, family, "0" + generation, tag),
        (version, key, family, generation, tag[:-1]),
        (version, key, family, generation, tag + "="),
        ("V1", key, family, generation, tag),
    ):
        with pytest.raises(annul.InvalidGrant) as refused:
            authority.refresh(".".join(parts))
        assert refused.value.code == "invalid_grant"
    assert stage.entries() == ()
    assert outcome(authority.refresh, third.refresh_token) == ACCEPTED


def test_garbage_never_reaches_the_store(file_stage: Stage) -> None:
    # There is no database any more, so only what never asks it can be answered.
    authority = file_stage.authority()
    grant = authority.login("alice", client_id="web")
    file_stage.folder.joinpath("annul.db").unlink()
    for garbage in ("", "v1.a.b.0.c", grant.refresh_token[:-1], grant.refresh_token + "A"):
        assert outcome(authority.refresh, garbage) == "invalid_grant"
    assert outcome(authority.refresh, grant.refresh_token) == "store_unavailable"


def test_threads_that_refresh_one_token_get_one_and_the_same_successor(
    stage: Stage, authority: annul.Authority
) -> None:
    grant = authority.login("alice", client_id="web")
    gate = threading.Barrier(THREADS)

    def refresh() -> annul.Grant:
        gate.wait()
        return authority.refresh(grant.refresh_token)

    with ThreadPoolExecutor(THREADS) as pool:
        grants = [future.result() for future in [pool.submit(refresh) for _ in range(THREADS)]]

    assert len({each.refresh_token for each in grants}) == 1
    assert len({each.jti for each in grants}) == THREADS
    session = stage.ask(lambda store: store.session(grant.session_id))
    assert session is not None
    assert session.generation == 1
    assert stage.entries() == ()
