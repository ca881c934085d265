"""Receipts: waiting until nobody can still accept, counting only, repeating what got lost."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

import annul
from tests.children import Child
from tests.stage import ACCEPTED, DELTA, Stage, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.revocation import Target
    from tests.servers import RedisServer


def test_waiting_takes_at_least_the_horizon_and_then_nobody_accepts(stage: Stage) -> None:
    authority = stage.authority()
    replica = stage.replica()
    grant = authority.login("alice", client_id="web")
    began = time.monotonic()
    receipt = authority.revoke(annul.SubjectId("alice"), wait=True, timeout=10.0)
    took = time.monotonic() - began

    assert DELTA * 1000 <= receipt.waited_ms <= took * 1000
    assert outcome(replica.verify, grant.access_token) == "revoked"
    assert (receipt.verifiers, receipt.laggards) == (2, ())  # the replica, and the authority's own
    assert (receipt.seq, receipt.sessions, receipt.dry_run) == (1, 1, False)


def test_the_fence_is_as_long_as_the_largest_staleness_of_the_store(stage: Stage) -> None:
    strict = stage.authority(max_staleness=0.1)
    stage.authority(max_staleness=0.6)  # opened later: the limit grows for everybody
    receipt = strict.revoke(annul.SubjectId("alice"), wait=True)
    assert receipt.waited_ms >= 600


def test_a_short_time_out_says_that_it_is_recorded_and_not_yet_confirmed(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    with pytest.raises(annul.NotYetConfirmed) as raised:
        authority.revoke(annul.SubjectId("alice"), wait=True, timeout=0.05)
    receipt = raised.value.receipt
    (entry,) = stage.entries()
    assert (receipt.epoch, receipt.seq) == entry.position
    assert receipt.waited_ms >= 50
    assert receipt.idempotency_key
    assert outcome(authority.verify, grant.access_token) == "revoked"


def test_a_verifier_that_fell_silent_is_named_and_does_not_hold_up_the_fence(
    shared_stage: Stage,
) -> None:
    authority = shared_stage.authority()
    grant = authority.login("alice", client_id="web")
    authority._authority._keeper.stop()  # or it may remove the lease just before the fence looks
    with Child("replica", shared_stage.url) as child:
        eventually(lambda: child.ask(grant.access_token) == ACCEPTED)
        child.kill()
        receipt = authority.revoke(annul.SubjectId("alice"), wait=True)
    assert len(receipt.laggards) == 1
    assert receipt.verifiers == 1


@pytest.mark.parametrize("timeout", [-1, float("nan"), float("inf"), True, "10"])
def test_a_time_out_that_cannot_be_meant_writes_nothing(stage: Stage, timeout: float) -> None:
    authority = stage.authority()
    with pytest.raises(annul.InvalidRequest):
        authority.revoke(annul.SubjectId("alice"), wait=True, timeout=timeout)
    assert stage.entries() == ()


# --- counting only --------------------------------------------------------------------------


TARGETS: dict[str, tuple[Callable[[annul.Grant], Target], int]] = {
    "token": (lambda grant: annul.TokenId(grant.jti), 0),
    "session": (lambda grant: annul.SessionId(grant.session_id), 1),
    "subject": (lambda _grant: annul.SubjectId("alice"), 2),
    "client": (lambda _grant: annul.ClientId("web"), 3),
    "key": (lambda _grant: annul.KeyId("no such key"), 0),
    "everything": (lambda _grant: annul.Everything(), 4),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_a_dry_run_counts_and_writes_nothing(stage: Stage, kind: str) -> None:
    authority = stage.authority()
    who = (("alice", "web"), ("alice", "cli"), ("bob", "web"), ("carol", "web"), ("dan", "web"))
    grants = [authority.login(subject, client_id=client) for subject, client in who]
    authority.logout(grants.pop().access_token)  # one that is over counts for nothing
    before, keys = stage.entries(), authority.jwks().to_json()
    make, expected = TARGETS[kind]

    receipt = authority.revoke(make(grants[0]), dry_run=True)

    assert (receipt.sessions, receipt.seq, receipt.dry_run) == (expected, None, True)
    assert stage.entries() == before
    assert authority.jwks().to_json() == keys
    for grant in grants:
        assert outcome(authority.verify, grant.access_token) == ACCEPTED


# --- repeating ------------------------------------------------------------------------------


def test_repeating_with_the_idempotency_key_makes_no_later_cut_off(stage: Stage) -> None:
    authority = stage.authority()
    first = authority.revoke(annul.SubjectId("alice"))
    between = authority.login("alice", client_id="web")
    again = authority.revoke(annul.SubjectId("alice"), idempotency_key=first.idempotency_key)
    assert (again.epoch, again.seq) == (first.epoch, first.seq)
    assert len(stage.entries()) == 1
    assert outcome(authority.verify, between.access_token) == ACCEPTED
    assert outcome(stage.replica().verify, between.access_token) == ACCEPTED
    assert outcome(authority.refresh, between.refresh_token) == ACCEPTED


def test_repeating_without_it_makes_a_later_cut_off(stage: Stage) -> None:
    authority = stage.authority()
    authority.revoke(annul.SubjectId("alice"))
    between = authority.login("alice", client_id="web")
    authority.revoke(annul.SubjectId("alice"))
    assert outcome(authority.verify, between.access_token) == "revoked"


def test_an_idempotency_key_belongs_to_one_revocation(stage: Stage) -> None:
    authority = stage.authority()
    receipt = authority.revoke(annul.SubjectId("alice"))
    for target in (annul.SubjectId("bob"), annul.ClientId("alice"), annul.Everything()):
        with pytest.raises(annul.InvalidRequest):
            authority.revoke(target, idempotency_key=receipt.idempotency_key)
    for made_up in ("", "short", "A" * 64, "*" * 22, 7):
        with pytest.raises(annul.InvalidRequest):
            authority.revoke(annul.SubjectId("bob"), idempotency_key=made_up)  # type: ignore[arg-type]  # one is no str
    assert len(stage.entries()) == 1


def has_entries(stage: Stage, count: int) -> bool:
    try:
        return len(stage.entries()) == count
    except annul.StoreUnavailable:
        return False  # a server that has just been thawed may be slow


def repeat_after(
    authority: annul.Authority,
    stage: Stage,
    target: Target,
    recover: Callable[[], None],
) -> None:
    """Revoke in vain, let the store recover, repeat with the error's key: exactly one entry."""
    with pytest.raises(annul.StoreUnavailable) as raised:
        authority.revoke(target)
    key = raised.value.idempotency_key
    assert key
    recover()
    receipt = authority.revoke(target, idempotency_key=key)
    assert receipt.idempotency_key == key
    assert receipt.seq == 1
    assert [entry.kind for entry in stage.entries()] == [target.kind]


REPEATED = [annul.SubjectId("alice"), annul.ClientId("web"), annul.KeyId("some other key")]
NAMES = ["subject", "client", "key"]


@pytest.mark.parametrize("target", REPEATED, ids=NAMES)
def test_the_error_of_a_missing_file_has_the_key_to_repeat_it(
    file_stage: Stage, target: Target
) -> None:
    authority = file_stage.authority()
    file, away = file_stage.folder / "annul.db", file_stage.folder / "away.db"
    file.rename(away)

    def recover() -> None:
        away.rename(file)

    repeat_after(authority, file_stage, target, recover)


@pytest.mark.parametrize("target", REPEATED, ids=NAMES)
def test_the_error_of_a_dead_server_has_the_key_to_repeat_it(
    own_redis: RedisServer, server_stage: Stage, target: Target
) -> None:
    authority = server_stage.authority()
    own_redis.kill()
    repeat_after(authority, server_stage, target, own_redis.start)


def test_a_write_whose_answer_got_lost_is_completed_and_not_made_twice(
    own_redis: RedisServer, server_stage: Stage
) -> None:
    # The server is frozen with the request in its socket: the write happens when it goes on.
    authority = server_stage.authority()
    authority.revoke(annul.SubjectId("bob"))  # so that the server knows the script
    older = authority.login("alice", client_id="web")
    own_redis.freeze()
    with pytest.raises(annul.StoreUnavailable) as raised:
        authority.revoke(annul.ClientId("web"))
    own_redis.thaw()
    eventually(lambda: has_entries(server_stage, 2))
    newer = authority.login("alice", client_id="web")

    key = raised.value.idempotency_key
    receipt = authority.revoke(annul.ClientId("web"), idempotency_key=key)

    assert receipt.seq == 2
    assert len(server_stage.entries()) == 2
    eventually(lambda: outcome(authority.verify, older.access_token) == "revoked")
    eventually(lambda: outcome(authority.verify, newer.access_token) == ACCEPTED)


def test_a_store_that_dies_during_the_wait_gives_the_key_too(
    own_redis: RedisServer, server_stage: Stage
) -> None:
    authority = server_stage.authority(max_staleness=1.5)  # time enough to kill it
    keys: list[str | None] = []

    def revoke() -> None:
        try:
            authority.revoke(annul.SubjectId("alice"), wait=True)
        except annul.StoreUnavailable as error:
            keys.append(error.idempotency_key)

    thread = threading.Thread(target=revoke)
    thread.start()
    eventually(lambda: has_entries(server_stage, 1))
    own_redis.kill()
    thread.join(10)
    assert keys[0]
    own_redis.start()
    assert authority.revoke(annul.SubjectId("alice"), idempotency_key=keys[0]).seq == 1
