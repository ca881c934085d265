"""Freshness is counted on two clocks, and a clock that disagrees with the store's refuses."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

import pytest

import annul
from annul.stores import open_store
from tests.stage import (
    ACCEPTED,
    AUDIENCE,
    DELTA,
    ISSUER,
    POLICY,
    Stage,
    clock_of_now,
    outcome,
    pass_time,
)
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annul.stores.base import Store
    from annul.testing import FixedClock


@pytest.fixture
def hanging(timed_stage: Stage) -> Iterator[tuple[annul.Authority, annul.Replica, FixedClock]]:
    """A replica that has renewed once and whose store then never answers again."""
    authority = timed_stage.authority()
    clock = clock_of_now()
    renewed: list[str] = []

    def open_once() -> Store:
        if renewed:
            raise annul.StoreUnavailable("it does not answer")
        renewed.append("once")
        return open_store(timed_stage.url, issuer=ISSUER, clock=clock)

    replica = annul.Replica(open_once, policy=POLICY, max_staleness=DELTA, clock=clock)
    replica.wait_ready(5.0)
    yield authority, replica, clock
    replica.close()


@pytest.mark.parametrize("seconds", [DELTA, 3600, -61, -3600])
def test_a_jump_of_the_wall_clock_ends_freshness_at_once(
    hanging: tuple[annul.Authority, annul.Replica, FixedClock], seconds: float
) -> None:
    authority, replica, clock = hanging
    grant = authority.login("alice", client_id="web")
    clock.set(float(int(clock())) + 1)
    eventually(lambda: outcome(replica.verify, grant.access_token) == ACCEPTED)
    clock.advance(seconds)
    assert not replica.fresh
    assert outcome(replica.verify, grant.access_token) != ACCEPTED
    assert why(replica) == "store_unreachable"  # nor is a key called unknown
    clock.advance(-seconds)
    eventually(lambda: outcome(replica.verify, grant.access_token) == ACCEPTED)


def test_the_monotonic_clock_counts_where_the_wall_clock_stands_still(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    replica = stage.replica()
    assert outcome(replica.verify, grant.access_token) == ACCEPTED
    replica._monotonic = lambda: inf  # much later, on that clock only
    assert outcome(replica.verify, grant.access_token) == "replica_stale"


def why(replica: annul.Replica) -> str:
    """Return the cause of refusing a token of which nothing is known, ``""`` if there is none."""
    key = annul.PrivateKey.generate("ES256")
    issuer = annul.Issuer(key=key, issuer=ISSUER, audience=AUDIENCE)
    unknown = issuer.issue(subject="a", client_id="b", since=annul.Position(0, 0), sid="c")
    try:
        replica.verify(unknown.text)
    except annul.ReplicaStale as error:
        return error.cause
    except annul.UnknownKey:
        return ""
    return ACCEPTED


@pytest.mark.parametrize("seconds", [-61, 61, -7200, 7200])
def test_a_wall_clock_far_from_the_stores_refuses_everything(stage: Stage, seconds: float) -> None:
    stage.authority()
    clock = clock_of_now()
    clock.advance(1)
    replica = annul.Replica(
        lambda: open_store(stage.url, issuer=ISSUER),  # whose clock is right, as a server's is
        policy=POLICY,
        max_staleness=DELTA,
        clock=clock,
    )
    try:
        replica.wait_ready(5.0)
        assert why(replica) == ""
        clock.advance(seconds)
        eventually(lambda: why(replica) == "clock_disagrees")
        clock.advance(-seconds)
        eventually(lambda: why(replica) == "")
    finally:
        replica.close()


def test_expiry_goes_by_the_clock_and_is_judged_at_every_call(timed_stage: Stage) -> None:
    clock = clock_of_now()
    authority = timed_stage.authority(clock=clock, access_ttl=60)
    replica = timed_stage.replica(clock=clock)
    grant = authority.login("alice", client_id="web")
    for _ in range(3):
        assert outcome(replica.verify, grant.access_token) == ACCEPTED
    pass_time(clock, 59, replica)
    assert outcome(replica.verify, grant.access_token) == ACCEPTED
    pass_time(clock, 1, replica)
    assert outcome(replica.verify, grant.access_token) == "expired"
