"""A store that has lost everything is founded again as it was, by whoever knows what it was."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

import annul
from annul.portal import portal
from tests.losing import Emptied, Removed
from tests.stage import ACCEPTED, ISSUER, Stage, await_outcome, kids, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from annul.stores.base import Identity, StoredRing

Emptying = tuple[Stage, Emptied]


@pytest.fixture(params=["sqlite", "valkey"])
def emptying(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Emptying]:
    """A store, and the way to empty it."""
    server, url = None, f"sqlite:///{tmp_path}/annul.db"
    if request.param == "valkey":
        server = request.getfixturevalue("own_redis")
        url = f"{server.url}?timeout=1.0"
    with Stage(request.param, url, tmp_path) as stage:
        yield stage, Emptied(stage, server)


def identity_of(stage: Stage) -> Identity | None:
    return stage.ask(lambda store: store.identity())


def ring_of(stage: Stage) -> StoredRing | None:
    try:
        return stage.ask(lambda store: store.ring())
    except annul.StoreUnavailable:
        return None


def look_after(authority: annul.Authority) -> None:
    """Do what the authority does by itself now and then."""
    for _ in range(3):
        with suppress(annul.StoreUnavailable):  # another file may be there, or none
            portal.call(authority._authority._recovery.step())


def test_it_has_the_same_lineage_limits_and_keys(emptying: Emptying) -> None:
    stage, emptied = emptying
    authority = stage.authority(max_staleness=0.5, session_ttl=12345)
    before, keys = identity_of(stage), authority.jwks()
    assert before is not None

    emptied.lose()

    eventually(lambda: ring_of(stage) is not None)
    assert identity_of(stage) == before
    again = stage.authority(max_staleness=0.5)
    assert again.jwks() == keys
    assert kids(stage.replica().jwks) == kids(keys)


def test_old_access_tokens_are_still_good_and_refresh_tokens_are_not(emptying: Emptying) -> None:
    stage, emptied = emptying
    authority = stage.authority()
    replica = stage.replica()
    grant = authority.login("alice", client_id="web")

    emptied.lose()

    eventually(lambda: ring_of(stage) is not None)
    for verifier in (replica, authority, stage.replica()):
        await_outcome(verifier.verify, grant.access_token, ACCEPTED)
    for opened in (authority, stage.authority()):
        await_outcome(opened.refresh, grant.refresh_token, "invalid_grant")
    again = authority.login("alice", client_id="web")
    await_outcome(replica.verify, again.access_token, ACCEPTED)
    assert outcome(authority.refresh, again.refresh_token) == ACCEPTED


def test_positions_go_on_where_they_were(emptying: Emptying) -> None:
    stage, emptied = emptying
    authority = stage.authority()
    for number in range(5):
        last = authority.revoke(annul.SubjectId(f"somebody {number}"))
    grant = authority.login("alice", client_id="web")
    highest = annul.Position(last.epoch or 0, last.seq or 0)

    emptied.lose()

    eventually(lambda: ring_of(stage) is not None)
    authority.revoke(annul.SubjectId("alice"))
    newest = stage.entries()[-1]
    assert newest.position > highest
    await_outcome(stage.replica().verify, grant.access_token, "revoked")


def test_one_that_knows_nothing_founds_nothing_again(emptying: Emptying) -> None:
    # Without an authority that was there before, it stays empty; replicas refuse everything.
    stage, emptied = emptying
    authority = stage.authority()
    replica = stage.replica()
    grant = authority.login("alice", client_id="web")
    authority.close()
    emptied.lose()
    eventually(lambda: outcome(replica.verify, grant.access_token) == "replica_stale")
    assert identity_of(stage) is None


def test_an_authority_leaves_another_store_in_the_place_alone(emptying: Emptying) -> None:
    stage, emptied = emptying
    first = stage.authority()
    first.revoke(annul.SubjectId("alice"))
    for _ in range(5):
        first.rotate_keys()  # so that its ring is the newer one by its number
    first._authority._keeper.stop()  # as if it was held up
    emptied.lose()
    other = stage.authority(kek_file=stage.folder / "other.kek")
    lineage, ring = identity_of(stage), ring_of(stage)
    look_after(first)
    assert (identity_of(stage), ring_of(stage)) == (lineage, ring)
    await_outcome(other.verify, other.login("bob", client_id="web").access_token, ACCEPTED)


# --- a file that is not there ---------------------------------------------------------------


def test_a_file_that_was_removed_is_not_made_again(file_stage: Stage) -> None:
    authority = file_stage.authority()
    replica = file_stage.replica()
    grant = authority.login("alice", client_id="web")
    removed = Removed(file_stage, None)
    removed.lose()
    eventually(lambda: not replica.fresh and not authority.replica.fresh)
    for _ in range(5):
        with pytest.raises(annul.StoreUnavailable):
            authority.login("bob", client_id="web")
    look_after(authority)
    assert not removed.file.exists()

    removed.come_back()

    eventually(lambda: replica.fresh and authority.replica.fresh)
    assert outcome(authority.refresh, grant.refresh_token) == ACCEPTED
    assert replica.alarms == 0  # nothing was lost
    assert authority.sessions("alice")


def test_the_issuer_of_an_emptied_store_is_the_same(emptying: Emptying) -> None:
    stage, emptied = emptying
    stage.authority()
    emptied.lose()
    eventually(lambda: ring_of(stage) is not None)
    identity = identity_of(stage)
    assert identity is not None
    assert identity.issuer == ISSUER
    with pytest.raises(annul.WrongStore):
        stage.authority(issuer="https://other.example")
