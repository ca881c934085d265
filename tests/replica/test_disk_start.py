"""A start with a snapshot reads only what has changed, and answers no earlier than without one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import annul
from annul.core.claims import system_clock
from annul.stores import open_store
from tests.replica.recording import Recording
from tests.stage import ACCEPTED, DELTA, ISSUER, POLICY, Stage, await_entry, clock_of_now, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from annul.core.claims import Clock

TARGETS = ("token", "session", "subject", "client", "block", "key", "good")


class Machine:
    """Where a replica with a snapshot file is started again and again."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.file = stage.folder / "denylist.snapshot"
        self.asked: list[str] = []
        self.away: set[str] = set()
        self._running: list[annul.Replica] = []

    def start(self, clock: Clock = system_clock, *, ready_timeout: float = 5.0) -> annul.Replica:
        self.asked.clear()

        def reader() -> Recording:
            store = open_store(self.stage.url, issuer=ISSUER, clock=clock)
            return Recording(store, self.asked, self.away)

        replica = annul.Replica(
            reader, policy=POLICY, max_staleness=DELTA, snapshot_file=self.file, clock=clock
        )
        self._running.append(replica)
        replica.wait_ready(ready_timeout)
        return replica

    def close(self) -> None:
        for replica in self._running:
            replica.close()


@pytest.fixture
def machine(file_stage: Stage) -> Iterator[Machine]:
    made = Machine(file_stage)
    yield made
    made.close()


def population(authority: annul.Authority) -> dict[str, annul.Grant]:
    return {
        name: authority.login(name, client_id="app" if name == "client" else "web")
        for name in TARGETS
    }


def revoke(authority: annul.Authority, grants: dict[str, annul.Grant], *names: str) -> None:
    verbs = {
        "token": lambda: authority.revoke(annul.TokenId(grants["token"].jti)),
        "session": lambda: authority.logout(grants["session"].access_token),
        "subject": lambda: authority.revoke(annul.SubjectId("subject")),
        "client": lambda: authority.revoke(annul.ClientId("app")),
        "block": lambda: authority.block("block"),
    }
    for name in names:
        verbs[name]()


def accepted(replica: annul.Replica, grants: dict[str, annul.Grant]) -> set[str]:
    found = {name: outcome(replica.verify, each.access_token) for name, each in grants.items()}
    assert set(found.values()) <= {ACCEPTED, "revoked"}
    return {name for name, result in found.items() if result == ACCEPTED}


def head(stage: Stage) -> int:
    return stage.ask(lambda store: store.snapshot()).watermark.seq


# --- what it is for -------------------------------------------------------------------


def test_the_second_start_reads_only_what_has_changed(machine: Machine) -> None:
    authority = machine.stage.authority()
    grants = population(authority)
    revoke(authority, grants, "token", "session", "subject", "client", "block")
    with machine.start() as replica:
        assert "snapshot" in machine.asked
        await_entry(replica, 5)
    later = authority.login("good", client_id="web")
    authority.unblock("block")
    authority.logout(later.access_token)

    replica = machine.start()

    assert "snapshot" not in machine.asked
    assert replica.watermark is not None
    assert replica.watermark.seq == 7
    assert accepted(replica, grants) == {"block", "key", "good"}
    assert outcome(replica.verify, later.access_token) == "revoked"
    assert replica.alarms == 0


def test_a_revoked_key_stays_revoked_over_a_start(machine: Machine) -> None:
    authority = machine.stage.authority()
    old = authority.login("alice", client_id="web")
    for key in authority.jwks():
        authority.revoke(annul.KeyId(key.kid))
    with machine.start() as replica:
        await_entry(replica, 1)

    replica = machine.start()

    assert "snapshot" not in machine.asked
    assert outcome(replica.verify, old.access_token) == "unknown_key"
    assert outcome(replica.verify, authority.login("bob", client_id="web").access_token) == ACCEPTED


def test_it_is_written_soon_and_not_only_at_the_end(machine: Machine) -> None:
    machine.stage.authority()
    machine.start()

    eventually(machine.file.exists)


def test_a_start_after_many_changes_reads_them_all_before_it_answers(machine: Machine) -> None:
    authority = machine.stage.authority()
    grants = population(authority)
    machine.start().close()
    for number in range(30):
        authority.revoke(annul.TokenId(f"somebody's {number}"))
    revoke(authority, grants, "session")

    replica = machine.start()

    assert "snapshot" not in machine.asked
    assert outcome(replica.verify, grants["session"].access_token) == "revoked"


# --- never too early ------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["identity", "renew", "changes", "published_keys"])
def test_nothing_is_answered_before_the_store_was_read(machine: Machine, verb: str) -> None:
    authority = machine.stage.authority()
    grants = population(authority)
    machine.start().close()
    revoke(authority, grants, "session")
    machine.away.add(verb)

    replica = machine.start(ready_timeout=0.0)

    eventually(lambda: machine.asked.count(verb) > 1)
    assert {outcome(replica.verify, each.access_token) for each in grants.values()} == {
        "replica_stale"
    }
    machine.away.clear()
    eventually(lambda: replica.fresh)
    assert accepted(replica, grants) == set(TARGETS) - {"session"}


# --- a file that is no good, or a store that is another ---------------------------------


@pytest.mark.parametrize("keep", [0.0, 0.5, 1.0])
def test_a_damaged_file_costs_nothing_but_the_full_load(machine: Machine, keep: float) -> None:
    authority = machine.stage.authority()
    grants = population(authority)
    revoke(authority, grants, "token", "session")
    machine.start().close()
    data = bytearray(machine.file.read_bytes())
    data[len(data) // 2] ^= 1
    machine.file.write_bytes(data[: int(len(data) * keep)])

    replica = machine.start()

    assert "snapshot" in machine.asked
    assert accepted(replica, grants) == set(TARGETS) - {"token", "session"}
    assert machine.file.with_name(machine.file.name + ".aside").exists()
    eventually(machine.file.exists)


def test_what_the_store_has_lost_meanwhile_is_remembered(machine: Machine) -> None:
    stage = machine.stage
    authority = stage.authority()
    grants = population(authority)
    revoke(authority, grants, "client")
    machine.start().close()
    backup = stage.folder / "backup.db"
    with (
        closing(sqlite3.connect(stage.folder / "annul.db")) as source,
        closing(sqlite3.connect(backup)) as target,
    ):
        source.backup(target)
    revoke(authority, grants, "token", "session", "subject", "block")
    with machine.start() as replica:
        await_entry(replica, 5)
    stage.close()
    for name in ("annul.db-wal", "annul.db-shm"):
        (stage.folder / name).unlink(missing_ok=True)
    backup.replace(stage.folder / "annul.db")
    assert len(stage.entries()) == 1

    replica = machine.start()

    # The store does hold an earlier place to go on from, but has to be given back what it lost.
    assert replica.alarms > 0
    assert "snapshot" in machine.asked
    assert accepted(replica, grants) == {"key", "good"}


def test_a_snapshot_of_another_store_is_not_used(machine: Machine, tmp_path: Path) -> None:
    authority = machine.stage.authority()
    authority.block("alice")
    with machine.start() as replica:
        await_entry(replica, 1)
    with Stage("sqlite", f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "other") as other:
        other.kek_file = tmp_path / "other.kek"
        alice = other.authority().login("alice", client_id="web")
        elsewhere = Machine(other)
        elsewhere.file = machine.file

        replica = elsewhere.start()

        assert "snapshot" in elsewhere.asked
        assert outcome(replica.verify, alice.access_token) == ACCEPTED
        elsewhere.close()


def test_it_goes_on_from_the_last_entry_that_lasts_if_the_last_of_all_was_pruned(
    machine: Machine,
) -> None:
    stage = machine.stage
    clock = clock_of_now()
    authority = stage.authority(clock=clock, access_ttl=60)
    grants = population(authority)
    revoke(authority, grants, "subject", "token")
    with machine.start(clock) as replica:
        await_entry(replica, 2)
    authority.block("block")
    clock.advance(3 * 86_400)
    stage.ask(lambda store: store.prune(clock()))
    assert [entry.kind for entry in stage.entries()] == [annul.Kind.SUBJECT, annul.Kind.BLOCK]

    replica = machine.start(clock)

    assert "snapshot" not in machine.asked
    assert replica.alarms == 0
    eventually(lambda: replica.fresh)
    await_entry(replica, 3)
