"""The exception by name: accepting for a while after Δ, counted, logged and waited for."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

import annul
from annul.stores import open_store
from tests.replica.recording import Recording
from tests.stage import (
    ACCEPTED,
    DELTA,
    ISSUER,
    POLICY,
    Stage,
    await_fresh,
    await_outcome,
    clock_of_now,
    outcome,
)
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annul.testing import FixedClock

ALLOWED = 600.0
EVERYTHING = {"identity", "renew", "release", "offer", "changes", "snapshot", "published_keys"}


class CutOff:
    """A replica with an exception of ``ALLOWED`` seconds, whose store can be taken away."""

    def __init__(self, stage: Stage, clock: FixedClock) -> None:
        self.clock = clock
        self.away: set[str] = set()
        self.replica = annul.Replica(
            lambda: Recording(open_store(stage.url, issuer=ISSUER, clock=clock), [], self.away),
            policy=POLICY,
            max_staleness=DELTA,
            accept_for=ALLOWED,
            clock=clock,
        )
        await_fresh(self.replica)

    def cut(self, *verbs: str) -> None:
        """Take these verbs away, all of them by default, and wait until Δ is over."""
        self.away |= set(verbs) or EVERYTHING
        eventually(lambda: not self.replica.fresh)

    def heal(self) -> None:
        self.away.clear()
        await_fresh(self.replica)


@contextmanager
def cut_off(stage: Stage, clock: FixedClock) -> Iterator[CutOff]:
    some = CutOff(stage, clock)
    with some.replica:
        yield some


@pytest.fixture
def opened(timed_stage: Stage) -> Iterator[tuple[annul.Authority, CutOff]]:
    """An authority whose store allows the exception, and a replica that makes use of it."""
    clock = clock_of_now()
    authority = timed_stage.authority(clock=clock, horizon=DELTA + ALLOWED)
    with cut_off(timed_stage, clock) as some:
        yield authority, some


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.name for record in caplog.records if "accept_for" in record.getMessage()]


def test_after_delta_it_goes_on_and_counts_every_token(
    opened: tuple[annul.Authority, CutOff],
) -> None:
    authority, some = opened
    grant = authority.login("alice", client_id="web")
    assert outcome(some.replica.verify, grant.access_token) == ACCEPTED
    assert some.replica.accepted_stale == 0
    some.cut()
    for number in range(1, 4):
        assert outcome(some.replica.verify, grant.access_token) == ACCEPTED
        assert some.replica.accepted_stale == number
    assert some.replica.staleness > DELTA
    assert not some.replica.fresh


def test_one_outage_is_one_warning(
    opened: tuple[annul.Authority, CutOff], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "annul.replica")
    authority, some = opened
    token = authority.login("alice", client_id="web").access_token
    for outages in (1, 2):
        some.cut()
        for _ in range(3):
            assert outcome(some.replica.verify, token) == ACCEPTED
        assert len(warnings_of(caplog)) == outages
        some.heal()
        assert outcome(some.replica.verify, token) == ACCEPTED
        assert len(warnings_of(caplog)) == outages


def test_it_ends_on_the_dot_and_says_why(opened: tuple[annul.Authority, CutOff]) -> None:
    authority, some = opened
    token = authority.login("alice", client_id="web", claims={"long": True}).access_token
    some.cut()
    some.clock.advance(ALLOWED - 1)
    assert outcome(some.replica.verify, token) == ACCEPTED
    some.clock.advance(DELTA + 1)
    with pytest.raises(annul.ReplicaStale) as raised:
        some.replica.verify(token)
    assert raised.value.cause == "store_unreachable"
    assert (some.replica.accepted_stale, some.replica.counters.refused_stale) == (1, 1)


def test_what_it_knows_to_be_revoked_stays_refused(
    opened: tuple[annul.Authority, CutOff],
) -> None:
    authority, some = opened
    before, after = (authority.login("alice", client_id="web") for _ in range(2))
    authority.logout(before.access_token)
    await_outcome(some.replica.verify, before.access_token, "revoked")
    some.cut()
    authority.logout(after.access_token)  # which it cannot know: that is the exception
    assert outcome(some.replica.verify, before.access_token) == "revoked"
    assert outcome(some.replica.verify, after.access_token) == ACCEPTED
    assert some.replica.accepted_stale == 1
    some.heal()
    await_outcome(some.replica.verify, after.access_token, "revoked")


def test_a_key_that_it_does_not_know_is_not_called_unknown(
    opened: tuple[annul.Authority, CutOff],
) -> None:
    authority, some = opened
    some.cut()
    key = annul.PrivateKey.generate("ES256")
    issuer = annul.Issuer(key=key, issuer=ISSUER, audience="https://api.example", clock=some.clock)
    token = issuer.issue(subject="a", client_id="b", since=annul.Position(0, 0), sid="c")
    assert outcome(some.replica.verify, token.text) == "replica_stale"
    assert outcome(authority.verify, token.text) == "unknown_key"


@pytest.mark.parametrize("seconds", [-61, -3600])
def test_it_does_not_cover_a_wall_clock_that_was_set_back(
    opened: tuple[annul.Authority, CutOff], seconds: float
) -> None:
    authority, some = opened
    token = authority.login("alice", client_id="web").access_token
    some.cut()
    some.clock.advance(seconds)
    assert outcome(some.replica.verify, token) != ACCEPTED
    assert some.replica.accepted_stale == 0


def test_it_does_not_cover_a_clock_that_disagrees_with_the_stores(stage: Stage) -> None:
    authority = stage.authority(horizon=DELTA + ALLOWED)
    clock = clock_of_now()
    clock.advance(1)
    replica = annul.Replica(
        lambda: open_store(stage.url, issuer=ISSUER),
        policy=POLICY,
        max_staleness=DELTA,
        accept_for=ALLOWED,
        clock=clock,
    )
    with replica:
        await_fresh(replica)
        token = authority.login("alice", client_id="web").access_token
        clock.advance(61)
        eventually(lambda: replica._follower.window.cause == "clock_disagrees")
        assert outcome(replica.verify, token) == "replica_stale"


def test_it_does_not_cover_one_that_has_never_loaded(timed_stage: Stage) -> None:
    authority = timed_stage.authority(horizon=DELTA + ALLOWED)
    token = authority.login("alice", client_id="web").access_token
    replica = annul.Replica(
        lambda: Recording(open_store(timed_stage.url, issuer=ISSUER), [], {"snapshot"}),
        policy=POLICY,
        max_staleness=DELTA,
        accept_for=ALLOWED,
    )
    with replica:
        eventually(lambda: replica.counters.renewals_failed)
        assert outcome(replica.verify, token) == "replica_stale"


def test_it_does_not_cover_one_that_is_closed(opened: tuple[annul.Authority, CutOff]) -> None:
    authority, some = opened
    token = authority.login("alice", client_id="web").access_token
    some.cut()
    assert outcome(some.replica.verify, token) == ACCEPTED
    some.replica.close()
    assert outcome(some.replica.verify, token) == "replica_stale"


def test_it_does_not_cover_the_child_of_a_fork(opened: tuple[annul.Authority, CutOff]) -> None:
    authority, some = opened
    token = authority.login("alice", client_id="web").access_token
    some.cut()
    assert outcome(some.replica.verify, token) == ACCEPTED
    some.replica._follower.abandon("forked")  # what a child does first of all
    assert outcome(some.replica.verify, token) == "replica_stale"


def test_many_threads_are_all_counted(opened: tuple[annul.Authority, CutOff]) -> None:
    authority, some = opened
    token = authority.login("alice", client_id="web").access_token
    some.cut()

    def verify() -> None:
        for _ in range(100):
            some.replica.verify(token)

    threads = [threading.Thread(target=verify) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert some.replica.accepted_stale == 400


# --- the store has to know ------------------------------------------------------------------


def test_it_is_part_of_the_horizon(stage: Stage) -> None:
    stage.authority(accept_for=5.0)
    for delta, more in ((DELTA, 5.1), (DELTA + 0.1, 5.0)):
        with pytest.raises(annul.Misconfigured):
            stage.replica(max_staleness=delta, accept_for=more)
    assert stage.replica(accept_for=5.0).accept_for == 5.0
    # Another authority of the store raises it for everybody, and none lowers it.
    stage.authority(horizon=20.0)
    stage.authority()
    assert stage.replica(accept_for=20.0 - DELTA).fresh


def test_the_lease_says_how_long_it_may_go_on(stage: Stage) -> None:
    authority = stage.authority(accept_for=7.0)
    assert authority.replica.accept_for == 7.0
    (lease,) = stage.ask(lambda store: store.leases())
    assert lease.max_staleness == DELTA + 7.0


def test_the_fence_waits_for_whoever_may_still_go_on(
    opened: tuple[annul.Authority, CutOff],
) -> None:
    authority, some = opened
    token = authority.login("alice", client_id="web").access_token
    some.cut()
    with pytest.raises(annul.NotYetConfirmed) as raised:
        authority.revoke(annul.SubjectId("alice"), wait=True, timeout=DELTA * 2)
    assert len(raised.value.receipt.laggards) == 1
    assert outcome(some.replica.verify, token) == ACCEPTED


def test_it_stands_in_the_lease_table_while_it_may_go_on(
    timed_stage: Stage, opened: tuple[annul.Authority, CutOff]
) -> None:
    authority, some = opened
    token = authority.login("alice", client_id="web").access_token
    leases = timed_stage.ask(lambda store: store.leases())
    failed = some.replica.counters.renewals_failed
    # The lease can still be written and taken away, but nothing can be read.
    some.away |= {"changes", "snapshot"}
    authority.revoke(annul.SubjectId("somebody"))
    some.cut("changes")
    eventually(lambda: some.replica.counters.renewals_failed > failed + 2)
    assert outcome(some.replica.verify, token) == ACCEPTED
    assert len(timed_stage.ask(lambda store: store.leases())) == len(leases)


def test_one_that_gave_up_its_lease_answers_no_more_when_its_clock_is_set_right(
    opened: tuple[annul.Authority, CutOff],
) -> None:
    authority, some = opened
    token = authority.login("alice", client_id="web").access_token
    some.away.add("changes")
    authority.revoke(annul.SubjectId("somebody"))
    eventually(lambda: some.replica.counters.renewals_failed)
    some.clock.advance(ALLOWED + DELTA)  # for everybody here, the store included
    failed = some.replica.counters.renewals_failed
    eventually(lambda: some.replica.counters.renewals_failed > failed + 1)
    some.clock.advance(-ALLOWED)
    assert outcome(some.replica.verify, token) == "replica_stale"


@pytest.mark.parametrize("value", [-1, 3600, float("nan"), float("inf"), True, "2", None])
def test_an_exception_that_cannot_be_meant_is_misconfigured(stage: Stage, value: Any) -> None:  # noqa: ANN401 - that is what is refused
    with pytest.raises(annul.Misconfigured):
        stage.replica(accept_for=value)
    with pytest.raises(annul.Misconfigured):
        stage.authority(accept_for=value)


@pytest.mark.parametrize("value", [0, DELTA + 0.9, 3601, float("nan"), float("inf"), True, "9"])
def test_a_horizon_that_cannot_be_meant_is_misconfigured(stage: Stage, value: Any) -> None:  # noqa: ANN401 - that is what is refused
    with pytest.raises(annul.Misconfigured):
        stage.authority(accept_for=1.0, horizon=value)
