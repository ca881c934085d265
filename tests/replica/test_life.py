"""The life of a replica: before the first load, beside an authority, and after it was closed."""

from __future__ import annotations

import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest

import annul
from annul.stores import open_store
from annul.testing import sample_identity
from tests.stage import (
    ACCEPTED,
    DELTA,
    ISSUER,
    POLICY,
    Stage,
    await_entry,
    await_fresh,
    clock_of_now,
    kids,
    outcome,
    pass_time,
)
from tests.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from annul.stores.base import PublishedKeys, Snapshot

# --- before ---------------------------------------------------------------------------------


def test_a_replica_of_a_store_that_nobody_founded_accepts_nothing(stage: Stage) -> None:
    replica = stage.replica(ready_timeout=0.0)
    assert replica.watermark is None
    eventually(lambda: replica._follower.window.cause == "store_empty")
    grant = stage.authority().login("alice", client_id="web")
    eventually(lambda: outcome(replica.verify, grant.access_token) == ACCEPTED)


def test_nothing_is_accepted_before_the_first_load_is_complete(timed_stage: Stage) -> None:
    grant = timed_stage.authority().login("alice", client_id="web")
    gate = threading.Event()
    store = open_store(timed_stage.url, issuer=ISSUER)

    class Slow(type(store)):  # type: ignore[misc]  # whichever store it is
        """A store whose keys come at once and whose log is a long time on the way."""

        async def page(self, after: annul.Position, limit: int = 1000) -> Snapshot:
            if not gate.is_set():
                raise annul.StoreUnavailable("not yet")
            found: Snapshot = await super().page(after, limit)
            return found

    store.__class__ = Slow
    replica = annul.Replica(lambda: store, policy=POLICY, max_staleness=DELTA, ready_timeout=0.0)
    assert not replica.wait_ready(0.0)
    assert outcome(replica.verify, grant.access_token) == "replica_stale"
    replica.close()


def test_more_staleness_than_the_store_allows_is_misconfigured(stage: Stage) -> None:
    stage.authority(max_staleness=DELTA)
    with pytest.raises(annul.Misconfigured):
        stage.replica(max_staleness=DELTA * 2)
    stage.authority(max_staleness=DELTA * 2)
    grant = stage.authority().login("alice", client_id="web")
    assert outcome(stage.replica(max_staleness=DELTA * 2).verify, grant.access_token) == ACCEPTED


@pytest.mark.parametrize("value", [0, -1, 0.09, 3601, float("nan"), float("inf"), True, "2", None])
def test_a_staleness_that_cannot_be_meant_is_misconfigured(stage: Stage, value: Any) -> None:  # noqa: ANN401 - that is what is refused
    with pytest.raises(annul.Misconfigured):
        stage.replica(max_staleness=value)
    with pytest.raises(annul.Misconfigured):
        stage.authority(max_staleness=value)


@pytest.mark.parametrize("url", ["", "annul.db", "mysql://host/db", "memory:", "sqlite://annul.db"])
def test_a_url_that_names_no_store_is_misconfigured(url: str) -> None:
    with pytest.raises(annul.Misconfigured):
        annul.Replica.open(url, policy=POLICY)


def test_a_replica_for_another_issuer_does_not_follow_this_store(shared_stage: Stage) -> None:
    shared_stage.ask(lambda store: store.found(sample_identity(), 1e9))
    with pytest.raises(annul.Misconfigured):
        shared_stage.replica(annul.Policy(issuer="https://other.example", audience="api"))


# --- beside an authority --------------------------------------------------------------------


def test_what_this_process_wrote_is_refused_at_once(stage: Stage) -> None:
    authority = stage.authority()
    for _ in range(20):
        grant = authority.login("alice", client_id="web")
        assert outcome(authority.verify, grant.access_token) == ACCEPTED
        authority.logout(grant.access_token)
        assert outcome(authority.verify, grant.access_token) == "revoked"


def test_observed_entries_count_before_they_are_read(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    authority.revoke(annul.SessionId(grant.session_id))
    entries = stage.entries()
    with annul.Authority.open(
        "memory://unrelated", issuer=ISSUER, audience="https://api.example", max_staleness=DELTA
    ) as elsewhere:
        other = elsewhere.login("bob", client_id="web")
        sid = elsewhere.verify(other.access_token).session_id
        assert sid is not None
        elsewhere.replica.observe(entries)
        assert outcome(elsewhere.verify, other.access_token) == ACCEPTED
        receipt = elsewhere.revoke(annul.SessionId(sid))
        assert receipt.seq == 1  # what was observed did not move how far the log was read
        await_entry(elsewhere.replica, 1)


def test_verify_ended_takes_what_is_genuine_and_nothing_else(timed_stage: Stage) -> None:
    clock = clock_of_now()
    authority = timed_stage.authority(clock=clock, access_ttl=10)
    replica = timed_stage.replica(clock=clock)
    grant = authority.login("alice", client_id="web")
    authority.logout(grant.access_token)
    pass_time(clock, 3600, replica)
    assert outcome(replica.verify, grant.access_token) == "expired"
    assert replica.verify_ended(grant.access_token).session_id == grant.session_id
    for forged in (grant.access_token[:-4] + "AAAA", "a.b.c", ""):
        with pytest.raises(annul.TokenRejected):
            replica.verify_ended(forged)
    # It has not become acceptable by that.
    assert outcome(replica.verify, grant.access_token) == "expired"


def test_published_keys_of_this_process_are_trusted_at_once(stage: Stage) -> None:
    authority = stage.authority(publish_for=0)
    for _ in range(5):
        kid = authority.rotate_keys()
        grant = authority.login("alice", client_id="web")
        assert authority.verify(grant.access_token).key_id == kid


def test_many_threads_may_verify_while_the_log_grows(stage: Stage) -> None:
    authority = stage.authority()
    replica = stage.replica()
    good = authority.login("good", client_id="web")
    found: set[str] = set()
    stop = threading.Event()

    def verify() -> None:
        while not stop.is_set():
            found.add(outcome(replica.verify, good.access_token))

    threads = [threading.Thread(target=verify) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(4):
        authority.revoke(annul.SubjectId(f"user {number}"))
    receipt = authority.revoke(annul.SubjectId("good"))
    await_entry(replica, receipt.seq)
    assert outcome(replica.verify, good.access_token) == "revoked"
    stop.set()
    for thread in threads:
        thread.join()
    assert found <= {ACCEPTED, "revoked", "replica_stale"}
    assert ACCEPTED in found


# --- afterwards -----------------------------------------------------------------------------


def test_a_closed_replica_accepts_nothing_and_has_given_up_its_lease(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    replica = stage.replica()
    assert len(stage.ask(lambda store: store.leases())) == 2
    replica.close()
    replica.close()
    with pytest.raises(annul.ReplicaStale) as raised:
        replica.verify(grant.access_token)
    assert raised.value.cause == "closed"
    assert not replica.fresh
    eventually(lambda: len(stage.ask(lambda store: store.leases())) == 1)
    assert outcome(authority.verify, grant.access_token) == ACCEPTED


def test_a_round_in_progress_does_not_open_a_closed_replica_again(tmp_path: Path) -> None:
    with Stage("memory", f"memory://{id(tmp_path)}", tmp_path) as stage:
        grant = stage.authority().login("alice", client_id="web")
        opened = threading.Event()
        replicas: list[annul.Replica] = []
        store = open_store(stage.url, issuer=ISSUER)

        class Closing(type(store)):  # type: ignore[misc]  # the store in memory
            """A store that answers in the very moment in which its replica is closed."""

            async def published_keys(self) -> PublishedKeys:
                opened.wait(10)
                found: PublishedKeys = await super().published_keys()
                replicas[0].close()
                return found

        store.__class__ = Closing
        replicas.append(annul.Replica(lambda: store, policy=POLICY, max_staleness=DELTA))
        opened.set()
        eventually(replicas[0]._follower.stopped.is_set)
        assert outcome(replicas[0].verify, grant.access_token) == "replica_stale"


def test_a_replica_that_is_garbage_gives_up_its_lease(stage: Stage) -> None:
    stage.authority()
    replica = annul.Replica.open(stage.url, policy=POLICY, max_staleness=DELTA)
    await_fresh(replica)
    assert len(stage.ask(lambda store: store.leases())) == 2
    del replica
    gc.collect()
    eventually(lambda: len(stage.ask(lambda store: store.leases())) == 1)


def test_a_key_is_not_dropped_before_its_successor_is_known(timed_stage: Stage) -> None:
    authority = timed_stage.authority()
    store = open_store(timed_stage.url, issuer=ISSUER)
    asked: list[set[str]] = []

    class Watched(type(store)):  # type: ignore[misc]  # whichever store it is
        """A store that remembers which keys its replica had when it asked for new ones."""

        async def published_keys(self) -> PublishedKeys:
            asked.append(kids(replica_box[0].jwks) if replica_box else {"before"})
            found: PublishedKeys = await super().published_keys()
            return found

    store.__class__ = Watched
    replica_box: list[annul.Replica] = []
    replica = annul.Replica(lambda: store, policy=POLICY, max_staleness=DELTA, ready_timeout=5.0)
    replica.wait_ready()
    replica_box.append(replica)
    before = len(asked)
    (old,) = kids(authority.jwks())
    receipt = authority.revoke(annul.KeyId(old))
    await_entry(replica, receipt.seq)
    replica.close()
    assert len(asked) > before
    assert all(asked[before:])
