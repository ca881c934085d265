"""A watch of a replica that can no longer tell: it ends when ``verify`` would refuse."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import annul
from annul.portal import portal
from annul.replica.watch import Held, Watch
from annul.replica.watches import Watches
from annul.stores import open_store
from tests.replica.recording import Recording
from tests.stage import ISSUER, POLICY, Stage, await_fresh, clock_of_now
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterable

    from annul.replica.vigil import Vigil

PATIENCE = 10.0
DELTA = 0.8
"""Long enough to be renewed on a busy machine, and short enough to wait for its end."""


def follower(stage: Stage, away: set[str], *, accept_for: float = 0.0) -> annul.Replica:
    """Return a replica that is kept from the verbs in ``away``."""
    replica = annul.Replica(
        lambda: Recording(open_store(stage.url, issuer=ISSUER), [], away),
        policy=POLICY,
        max_staleness=DELTA,
        accept_for=accept_for,
    )
    assert replica.wait_ready()
    return replica


def test_a_connection_ends_when_the_replica_goes_stale(stage: Stage) -> None:
    token = (
        stage.authority(horizon=100.0, max_staleness=DELTA)
        .login("alice", client_id="web")
        .access_token
    )
    away: set[str] = set()
    with follower(stage, away) as replica, replica.watch(token) as watch:
        assert not watch.wait(DELTA * 1.5), "it has been renewed"
        away.add("renew")
        assert watch.wait(PATIENCE)
        assert isinstance(watch.reason, annul.ReplicaStale)
        assert watch.reason.cause == "store_unreachable"
        with pytest.raises(annul.ReplicaStale):
            replica.verify(token)


def test_it_lasts_for_as_long_as_the_exception_does(stage: Stage) -> None:
    token = (
        stage.authority(horizon=100.0, max_staleness=DELTA)
        .login("alice", client_id="web")
        .access_token
    )
    away: set[str] = set()
    with follower(stage, away, accept_for=60.0) as replica, replica.watch(token) as watch:
        away.add("renew")
        eventually(lambda: not replica.fresh)
        assert not watch.wait(DELTA / 2)
        assert watch.check().subject == "alice"
    token = (
        stage.authority(horizon=100.0, max_staleness=DELTA)
        .login("alice", client_id="web")
        .access_token
    )
    with follower(stage, away := set(), accept_for=DELTA) as replica, replica.watch(token) as watch:
        away.add("renew")
        assert watch.wait(PATIENCE)
        assert not replica.fresh
        assert replica.staleness > 2 * DELTA


def test_a_clock_that_jumps_ahead_ends_it(timed_stage: Stage) -> None:
    clock = clock_of_now()
    token = (
        timed_stage.authority(horizon=100.0, max_staleness=DELTA)
        .login("alice", client_id="web")
        .access_token
    )
    replica = timed_stage.replica(clock=clock, max_staleness=DELTA)
    replica.wait_ready()
    await_fresh(replica)
    with replica.watch(token) as watch:
        clock.advance(3600)
        assert watch.wait(PATIENCE)
        assert watch.reason is not None
        assert watch.reason.code in {"replica_stale", "expired"}


def test_a_replica_that_is_fresh_again_can_be_watched_again(stage: Stage) -> None:
    token = (
        stage.authority(horizon=100.0, max_staleness=DELTA)
        .login("alice", client_id="web")
        .access_token
    )
    away: set[str] = set()
    with follower(stage, away) as replica:
        with replica.watch(token) as watch:
            away.add("renew")
            assert watch.wait(PATIENCE)
        with pytest.raises(annul.ReplicaStale):
            replica.watch(token)
        away.clear()
        await_fresh(replica)
        with replica.watch(token) as watch:
            assert not watch.wait(DELTA)


def test_an_unexpected_failure_of_a_look_misses_nobody(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, replica = (
        stage.authority(horizon=100.0, max_staleness=DELTA),
        stage.replica(max_staleness=30.0),
    )
    token = authority.login("alice", client_id="web").access_token
    real = Watches.concerned
    failed: list[object] = []

    def failing(self: Watches, entries: Iterable[annul.Revocation]) -> list[annul.Watch]:
        if not failed:
            failed.append(entries)
            raise RuntimeError("once")
        return real(self, entries)

    monkeypatch.setattr(Watches, "concerned", failing)

    async def story() -> annul.AnnulError:
        with replica.watch(token) as watch:
            await asyncio.to_thread(authority.logout, token)
            return await asyncio.wait_for(watch.ended(), PATIENCE)

    assert asyncio.run(story()).code == "revoked"
    assert failed


def test_a_watch_that_begins_after_the_last_look_is_seen(stage: Stage) -> None:
    token = (
        stage.authority(horizon=100.0, max_staleness=DELTA)
        .login("alice", client_id="web")
        .access_token
    )
    away: set[str] = set()
    with follower(stage, away) as replica:

        def begun() -> Vigil:
            vigil = replica._look_after()
            for _ in range(10):
                portal.call(asyncio.sleep(0))  # it has looked, seen nobody, and waits for ever
            return vigil

        with Watch(replica.verify, begun, Held(replica.verify(token), None)) as watch:
            away.add("renew")
            assert watch.wait(PATIENCE)
