"""A store that loses data: replicas notice, raise an alarm, and forget no revocation."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

import pytest

import annul
from tests.stage import ACCEPTED, Stage, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import RedisServer


def copy(file: Path, to: Path) -> None:
    """Make a backup of a database in use, as an operator would."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def restore(backup: Path, file: Path) -> None:
    """Put a backup in the place of the database, with nothing left of what was newer."""
    for leftover in (f"{file}-wal", f"{file}-shm"):
        (file.parent / leftover).unlink(missing_ok=True)
    backup.replace(file)


@pytest.fixture
def file(file_stage: Stage) -> Path:
    return file_stage.folder / "annul.db"


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


def outcomes(verifier: annul.Replica | annul.Authority, grants: dict[str, annul.Grant]) -> set[str]:
    """Return whose tokens are accepted; all others have to be known as revoked."""
    found = {name: outcome(verifier.verify, each.access_token) for name, each in grants.items()}
    assert set(found.values()) <= {ACCEPTED, "revoked"}
    return {name for name, result in found.items() if result == ACCEPTED}


def test_nothing_is_forgotten_when_an_older_copy_is_restored(file_stage: Stage, file: Path) -> None:
    authority = file_stage.authority()
    replica = file_stage.replica()
    grants = population(authority)
    copy(file, file.parent / "backup.db")
    revoke_all(authority, grants)
    eventually(lambda: outcomes(replica, grants) == {"good"})

    restore(file.parent / "backup.db", file)

    for verifier in (replica, authority.replica):
        eventually(partial(has_recovered, verifier))
        assert outcomes(verifier, grants) == {"good"}
    assert file_stage.entries() == ()  # the store itself knows nothing of it any more
    # It goes on following what the store says from now on.
    with pytest.raises(annul.StoreUnavailable):
        authority.logout(grants["good"].access_token)  # the first to find another file there
    authority.logout(grants["good"].access_token)
    eventually(lambda: outcomes(replica, grants) == set())


def test_a_log_that_was_lost_and_grew_again_is_noticed(file_stage: Stage, file: Path) -> None:
    # The same length and another history: only the random tags tell.
    authority = file_stage.authority()
    replica = file_stage.replica()
    grant = authority.login("alice", client_id="web")
    copy(file, file.parent / "backup.db")
    authority.logout(grant.access_token)
    eventually(lambda: outcome(replica.verify, grant.access_token) == "revoked")

    copy(file.parent / "backup.db", file.parent / "again.db")
    with Stage("sqlite", f"sqlite:///{file.parent / 'again.db'}", file.parent) as again:
        again.authority().revoke(annul.SubjectId("somebody else"))
    restore(file.parent / "again.db", file)

    eventually(partial(has_recovered, replica))
    assert replica.watermark is not None
    assert replica.watermark.seq == 1
    assert outcome(replica.verify, grant.access_token) == "revoked"


def test_an_older_keyring_is_not_taken(file_stage: Stage, file: Path) -> None:
    authority = file_stage.authority()
    replica = file_stage.replica()
    copy(file, file.parent / "backup.db")
    old = {key.kid for key in replica.jwks}
    for kid in old:
        authority.revoke(annul.KeyId(kid))
    new = authority.jwks()
    eventually(lambda: replica.jwks == new)

    restore(file.parent / "backup.db", file)

    eventually(partial(has_recovered, replica))
    assert replica.jwks == new
    with pytest.raises(annul.StoreUnavailable):
        authority.rotate_keys()  # the first to find another file there
    with pytest.raises(annul.Misconfigured):
        authority.rotate_keys()  # nor does the authority go on with it


def test_a_server_that_was_emptied_makes_replicas_refuse(
    server_stage: Stage, own_redis: RedisServer
) -> None:
    authority = server_stage.authority()
    replica = server_stage.replica()
    grants = population(authority)
    revoke_all(authority, grants)
    eventually(lambda: outcomes(replica, grants) == {"good"})

    own_redis.command("FLUSHALL")

    eventually(lambda: outcome(replica.verify, grants["good"].access_token) == "replica_stale")
    for verb in (
        lambda: authority.login("alice", client_id="web"),
        lambda: authority.refresh(grants["good"].refresh_token),
        lambda: authority.revoke(annul.SubjectId("alice")),
        authority.rotate_keys,
    ):
        with pytest.raises(annul.StoreUnavailable):
            verb()


def test_nothing_is_forgotten_when_the_store_is_founded_anew(
    server_stage: Stage, own_redis: RedisServer
) -> None:
    authority = server_stage.authority()
    replica = server_stage.replica()
    grant = authority.login("alice", client_id="web")
    (old,) = replica.jwks
    authority.revoke(annul.KeyId(old.kid))
    authority.block("alice")
    eventually(lambda: replica.watermark is not None and replica.watermark.seq == 2)

    own_redis.command("FLUSHALL")
    eventually(lambda: not replica.fresh)
    anew = server_stage.authority()
    eventually(lambda: replica.fresh)

    assert replica.alarms
    assert outcome(replica.verify, grant.access_token) == "unknown_key"
    # Whoever was blocked stays blocked for those who know of it.
    again = anew.login("alice", client_id="web")
    other = anew.login("bob", client_id="web")
    eventually(lambda: outcome(replica.verify, other.access_token) == ACCEPTED)
    assert outcome(replica.verify, again.access_token) == "revoked"
