"""A store that stops answering: after Δ a replica accepts nothing, and recovers by itself."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

import annul
from tests.stage import ACCEPTED, DELTA, POLICY, Stage, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers import RedisServer


class Fault:
    """A store, a way to silence it and the way back."""

    def __init__(
        self, stage: Stage, silence: Callable[[], object], heal: Callable[[], object]
    ) -> None:
        self.stage = stage
        self.silence = silence
        self.heal = heal


def frozen(server: RedisServer, folder: Path) -> Fault:
    return Fault(Stage("valkey", server.url, folder), server.freeze, server.thaw)


def killed(server: RedisServer, folder: Path) -> Fault:
    return Fault(Stage("valkey", server.url, folder), server.kill, server.start)


def removed(_server: RedisServer, folder: Path) -> Fault:
    file, away = folder / "annul.db", folder / "away.db"
    return Fault(
        Stage("sqlite", f"sqlite:///{file}", folder),
        lambda: file.rename(away),
        lambda: away.rename(file),
    )


def folder_replaced(_server: RedisServer, folder: Path) -> Fault:
    place, away = folder / "data", folder / "away"
    place.mkdir()

    def silence() -> None:
        place.rename(away)
        place.write_bytes(b"a file where the folder was")

    def heal() -> None:
        place.unlink()
        away.rename(place)

    return Fault(Stage("sqlite", f"sqlite:///{place}/annul.db", folder), silence, heal)


FAULTS = [frozen, killed, removed, folder_replaced]


@pytest.fixture(params=FAULTS, ids=[fault.__name__ for fault in FAULTS])
def fault(
    request: pytest.FixtureRequest, own_redis: RedisServer, tmp_path: Path
) -> Iterator[Fault]:
    made: Fault = request.param(own_redis, tmp_path)
    yield made
    made.stage.close()


def test_it_refuses_everything_after_delta_and_recovers(fault: Fault) -> None:
    authority = fault.stage.authority()
    replica = fault.stage.replica()
    good = authority.login("alice", client_id="web")
    ended = authority.login("alice", client_id="web")
    assert outcome(replica.verify, good.access_token) == ACCEPTED
    fault.silence()
    silent_at = time.monotonic()
    try:
        for verify in (replica.verify, authority.verify):
            while True:
                began = time.monotonic()
                found = outcome(verify, good.access_token)
                if found != ACCEPTED:
                    break
                assert began <= silent_at + DELTA
            assert found == "replica_stale"
        assert not replica.fresh
        assert replica.staleness >= DELTA or replica.staleness == float("inf")
        # What is bad in itself is still refused as bad.
        assert outcome(replica.verify, "not.a.token") == "malformed"
        # What cannot be confirmed is not claimed.
        with pytest.raises(annul.StoreUnavailable):
            authority.revoke(annul.SubjectId("alice"))
    finally:
        fault.heal()
    eventually(lambda: replica.fresh and authority.replica.fresh)
    assert replica.alarms == 0  # nothing was lost
    fault.stage.ask(lambda store: store.identity())
    authority.logout(ended.access_token)
    eventually(lambda: outcome(replica.verify, ended.access_token) == "revoked")


def test_it_says_why(fault: Fault) -> None:
    authority = fault.stage.authority()
    replica = fault.stage.replica()
    grant = authority.login("alice", client_id="web")
    fault.silence()
    try:
        eventually(lambda: not replica.fresh)
        with pytest.raises(annul.ReplicaStale) as raised:
            replica.verify(grant.access_token)
    finally:
        fault.heal()
    assert raised.value.cause in {"store_unreachable", "store_empty"}


def test_a_token_of_an_unknown_key_is_not_called_bad_while_it_cannot_know(fault: Fault) -> None:
    authority = fault.stage.authority()
    replica = fault.stage.replica()
    key = annul.PrivateKey.generate("ES256")
    issuer = annul.Issuer(key=key, issuer=POLICY.issuer, audience="https://api.example")
    grant = authority.login("alice", client_id="web")
    since = authority.verify(grant.access_token).since
    assert since is not None
    token = issuer.issue(subject="alice", client_id="web", since=since, sid="s").text
    assert outcome(replica.verify, token) == "unknown_key"
    fault.silence()
    try:
        eventually(lambda: not replica.fresh)
        assert outcome(replica.verify, token) == "replica_stale"
    finally:
        fault.heal()


def test_a_replica_that_begins_without_its_store_is_ready_when_the_store_is(
    own_redis: RedisServer, server_stage: Stage
) -> None:
    grant = server_stage.authority().login("alice", client_id="web")
    server_stage.close()
    own_redis.kill()
    replica = server_stage.replica(ready_timeout=0.05)
    assert outcome(replica.verify, grant.access_token) == "replica_stale"
    own_redis.start()
    eventually(lambda: outcome(replica.verify, grant.access_token) == ACCEPTED)
