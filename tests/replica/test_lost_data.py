"""A store that loses data: replicas notice, raise an alarm, and forget no revocation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

import annul
from tests.losing import ROLLBACKS, Emptied, Loss, copy, put_back
from tests.stage import ACCEPTED, Stage, await_outcome, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT_ONCE = 1.0
"""Within how many seconds a loss is noticed, once the store can be read again."""


@pytest.fixture
def file(file_stage: Stage) -> Path:
    return file_stage.folder / "annul.db"


@pytest.fixture(params=[*ROLLBACKS, "sqlite-emptied", "valkey-emptied"])
def losing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Stage, Loss]]:
    """A store, and each way to lose what it has."""
    server, url = None, f"sqlite:///{tmp_path}/annul.db"
    if str(request.param).startswith("valkey"):
        server = request.getfixturevalue("own_redis")
        url = f"{server.url}?timeout=1.0"
    with Stage(str(request.param), url, tmp_path) as stage:
        yield stage, ROLLBACKS.get(request.param, Emptied)(stage, server)


def population(authority: annul.Authority) -> dict[str, annul.Grant]:
    grants = {
        name: authority.login(name, client_id="web")
        for name in ("token", "session", "subject", "block", "good")
    }
    grants["client"] = authority.login("good", client_id="other")
    return grants


def revoke_all(authority: annul.Authority, grants: dict[str, annul.Grant]) -> None:
    authority.revoke(annul.TokenId(grants["token"].jti))
    authority.logout(grants["session"].access_token)
    authority.revoke(annul.SubjectId("subject"))
    authority.revoke(annul.ClientId("other"))
    authority.block("block")


def has_recovered(replica: annul.Replica) -> bool:
    return replica.alarms > 0 and replica.fresh and replica.watermark is not None


def only_good_is_accepted(
    verifier: annul.Replica | annul.Authority, grants: dict[str, annul.Grant]
) -> bool:
    """Whether a verifier refuses everything that was revoked as such, and accepts the rest."""
    found = {name: outcome(verifier.verify, each.access_token) for name, each in grants.items()}
    assert set(found.values()) <= {ACCEPTED, "revoked", "replica_stale"}
    return found == dict.fromkeys(grants, "revoked") | {"good": ACCEPTED}


def test_a_loss_is_noticed_at_once_and_nothing_is_forgotten(losing: tuple[Stage, Loss]) -> None:
    stage, loss = losing
    authority = stage.authority()
    replica = stage.replica()
    grants = population(authority)
    loss.remember()
    revoke_all(authority, grants)
    eventually(partial(only_good_is_accepted, replica, grants))
    ended = [grants[name].access_token for name in grants if name != "good"]

    loss.lose()

    def alarmed() -> bool:
        assert ACCEPTED not in {outcome(replica.verify, token) for token in ended}
        return replica.alarms > 0 and authority.replica.alarms > 0

    eventually(alarmed, within=AT_ONCE)
    for verifier in (replica, authority.replica):
        eventually(partial(has_recovered, verifier))
        eventually(partial(only_good_is_accepted, verifier, grants))


def test_nothing_is_forgotten_while_no_authority_is_there(losing: tuple[Stage, Loss]) -> None:
    stage, loss = losing
    authority = stage.authority()
    replica = stage.replica()
    grants = population(authority)
    loss.remember()
    revoke_all(authority, grants)
    eventually(partial(only_good_is_accepted, replica, grants))
    authority.close()

    loss.lose()

    if isinstance(loss, Emptied):  # nobody is there who could found it again
        eventually(lambda: outcome(replica.verify, grants["good"].access_token) == "replica_stale")
        found = {outcome(replica.verify, grant.access_token) for grant in grants.values()}
        assert found <= {"replica_stale", "revoked"}
        return
    eventually(partial(has_recovered, replica))
    eventually(partial(only_good_is_accepted, replica, grants))
    # What it has offered waits for an authority.
    eventually(lambda: len(stage.ask(lambda store: store.offers())) == 5)
    assert stage.entries() == ()


def test_one_that_was_opened_after_the_loss_is_told_by_the_one_before(
    losing: tuple[Stage, Loss],
) -> None:
    stage, loss = losing
    authority = stage.authority()
    replica = stage.replica()
    grants = population(authority)
    loss.remember()
    revoke_all(authority, grants)
    eventually(partial(only_good_is_accepted, replica, grants))
    loss.lose()
    fresh = stage.replica()
    for name in set(grants) - {"good"}:
        await_outcome(fresh.verify, grants[name].access_token, "revoked")
    await_outcome(fresh.verify, grants["good"].access_token, ACCEPTED)
    assert fresh.alarms <= 1  # at most that of the new epoch


def test_it_goes_on_with_what_the_store_says_from_then_on(losing: tuple[Stage, Loss]) -> None:
    stage, loss = losing
    authority = stage.authority()
    replica = stage.replica()
    before = authority.login("alice", client_id="web")
    loss.remember()
    authority.revoke(annul.SubjectId("somebody"))
    eventually(lambda: replica.highest == authority.replica.highest != (0, 0))
    loss.lose()
    eventually(partial(has_recovered, replica))
    eventually(partial(logs_out, authority, before))
    await_outcome(replica.verify, before.access_token, "revoked")


def logs_out(authority: annul.Authority, grant: annul.Grant) -> bool:
    try:
        authority.logout(grant.access_token)
    except annul.StoreUnavailable:
        return False  # the first to find another file or connection there
    return True


def test_a_log_that_was_lost_and_grew_again_is_noticed(file_stage: Stage, file: Path) -> None:
    # The same length and another history: only the random tags tell.
    authority = file_stage.authority()
    replica = file_stage.replica()
    grant = authority.login("alice", client_id="web")
    copy(file, file.parent / "backup.db")
    authority.logout(grant.access_token)
    eventually(lambda: outcome(replica.verify, grant.access_token) == "revoked")
    authority.close()

    copy(file.parent / "backup.db", file.parent / "again.db")
    with Stage("sqlite", f"sqlite:///{file.parent / 'again.db'}", file.parent) as again:
        again.authority().revoke(annul.SubjectId("somebody else"))
    put_back(file.parent / "again.db", file)

    eventually(partial(has_recovered, replica))
    assert replica.watermark is not None
    assert replica.watermark.seq == 1
    await_outcome(replica.verify, grant.access_token, "revoked")


def test_an_older_keyring_is_not_taken_and_the_newer_one_is_put_back(
    losing: tuple[Stage, Loss],
) -> None:
    stage, loss = losing
    authority = stage.authority()
    replica = stage.replica()
    loss.remember()
    for kid in {key.kid for key in replica.jwks}:
        authority.revoke(annul.KeyId(kid))
    new = authority.jwks()
    eventually(lambda: replica.jwks == new)
    version = replica.keys_version

    loss.lose()

    def put_back_again() -> bool:
        assert replica.jwks == new
        return replica.keys_version > version

    eventually(put_back_again)
    assert stage.replica().jwks == new
    eventually(partial(has_recovered, replica))
    eventually(lambda: authority.rotate_keys() in {key.kid for key in authority.jwks()})


def test_the_table_is_whole_again_only_a_horizon_after_a_loss(losing: tuple[Stage, Loss]) -> None:
    stage, loss = losing
    authority = stage.authority(max_staleness=2.0)
    loss.remember()
    authority.revoke(annul.SubjectId("somebody"))
    eventually(lambda: authority.replica.listed_for > 0.1)
    loss.lose()
    eventually(lambda: authority.replica.alarms, within=5.0)
    eventually(lambda: authority.replica.fresh)
    assert authority.replica.listed_for < 1.5
