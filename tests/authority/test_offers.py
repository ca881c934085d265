"""What lies in the inbox: genuine entries are appended once, everything else is thrown away."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

import annul
from annul.core.keyring import Keyring, Purpose
from annul.core.proof import prove
from annul.core.revocation import Fingerprinter, Kind, Position, Reason, Revocation
from tests.stage import ACCEPTED, ISSUER, Stage, await_outcome, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.stores.base import Store


def lost(kind: Kind, value: str, **fields: Any) -> Revocation:  # noqa: ANN401 - the fields of Revocation
    """Return an entry as it stood in a log that has lost it, without a proof."""
    entry = Revocation(
        position=Position(int(time.time()), 9),
        tag=os.urandom(16),
        issuer=ISSUER,
        kind=kind,
        fingerprint=Fingerprinter(ISSUER)(kind, value),
        reason=Reason.TOKEN_THEFT,
        at=time.time() - 5,
        expires_at=int(time.time()) + 1000,
        id=value or None,
        actor="root",
    )
    return replace(entry, **fields)


def proven(authority: annul.Authority, entry: Revocation) -> Revocation:
    """Return an entry as the authorities of this lineage would have written it."""
    ring = authority._authority._rotation.ring
    return replace(entry, proof=prove(entry, *ring.secret(Purpose.FEED, time.time())))


def offer(stage: Stage, *entries: Revocation) -> None:
    stage.ask(lambda store: store.offer(entries))


def await_settled(stage: Stage) -> None:
    async def offers(store: Store) -> tuple[Revocation, ...]:
        return await store.offers()

    eventually(lambda: stage.ask(offers) == ())


def with_foreign_key(entry: Revocation) -> Revocation:
    ring = Keyring().add_secret(Purpose.FEED, now=time.time(), needed_for=1000, entropy=os.urandom)
    return replace(entry, proof=prove(entry, *ring.secret(Purpose.FEED, time.time())))


def with_foreign_key_of_our_name(entry: Revocation) -> Revocation:
    key_id = entry.proof[:-24].decode()
    return replace(entry, proof=prove(entry, key_id, os.urandom(32)))


BOB = Fingerprinter(ISSUER)(Kind.SUBJECT, "bob")

FORGERIES: dict[str, Callable[[Revocation], Revocation]] = {
    "no proof": lambda entry: replace(entry, proof=b""),
    "a random proof": lambda entry: replace(entry, proof=os.urandom(len(entry.proof))),
    "a cut proof": lambda entry: replace(entry, proof=entry.proof[:-1]),
    "a key of another lineage": with_foreign_key,
    "a key of another lineage under our name": with_foreign_key_of_our_name,
    "another subject": lambda entry: replace(entry, fingerprint=BOB),
    "another subject by name": lambda entry: replace(entry, fingerprint=BOB, id="bob"),
    "another kind": lambda entry: replace(entry, kind=Kind.BLOCK),
    "another tag": lambda entry: replace(entry, tag=os.urandom(16)),
    "an earlier time": lambda entry: replace(entry, at=entry.at - 1),
    "another reason": lambda entry: replace(entry, reason=Reason.ADMIN),
    "another actor": lambda entry: replace(entry, actor="mallory"),
    "another issuer": lambda entry: replace(entry, issuer="https://idp.example"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_entry_is_thrown_away(stage: Stage, forgery: str) -> None:
    authority = stage.authority()
    grants = [authority.login(subject, client_id="web") for subject in ("alice", "bob")]
    genuine = proven(authority, lost(Kind.SUBJECT, "alice"))
    offer(stage, FORGERIES[forgery](genuine))
    await_settled(stage)
    assert stage.entries() == ()
    for grant in grants:
        await_outcome(authority.verify, grant.access_token, ACCEPTED)


def test_an_unblock_is_thrown_away_even_if_it_is_genuine(stage: Stage) -> None:
    # Which blocks it lifted is not covered by the proof, because the store has decided that.
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    authority.block("alice")
    (block,) = stage.entries()
    unblock = lost(Kind.UNBLOCK, "alice", lifts=(block.tag,), expires_at=None)
    offer(stage, proven(authority, unblock))
    await_settled(stage)
    assert stage.entries() == (block,)
    await_outcome(authority.verify, grant.access_token, "revoked")


def test_a_genuine_entry_is_appended_beside_forged_ones(stage: Stage) -> None:
    authority = stage.authority()
    replica = stage.replica()
    grants = {subject: authority.login(subject, client_id="web") for subject in ("alice", "bob")}
    genuine = proven(authority, lost(Kind.SUBJECT, "alice"))
    forged = replace(genuine, tag=os.urandom(16), fingerprint=BOB)
    offer(stage, forged, genuine)
    await_settled(stage)
    (entry,) = stage.entries()
    assert entry.tag == genuine.tag
    for verifier in (authority, replica):
        await_outcome(verifier.verify, grants["alice"].access_token, "revoked")
        await_outcome(verifier.verify, grants["bob"].access_token, ACCEPTED)


@pytest.mark.parametrize("kind", sorted(set(Kind) - {Kind.UNBLOCK, Kind.KEY}))
def test_every_kind_that_can_be_proven_is_taken(stage: Stage, kind: Kind) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    values = {
        Kind.TOKEN: grant.jti,
        Kind.SESSION: grant.session_id,
        Kind.CLIENT: "web",
        Kind.ISSUER: "",
    }
    genuine = proven(authority, lost(kind, values.get(kind, "alice")))
    offer(stage, genuine)
    await_settled(stage)
    (entry,) = stage.entries()
    assert (entry.kind, entry.tag, entry.id) == (kind, genuine.tag, genuine.id)
    refused = "refresh_needed" if kind is Kind.CLAIMS else "revoked"
    await_outcome(authority.verify, grant.access_token, refused)


def test_offering_twice_appends_once(stage: Stage) -> None:
    authority = stage.authority()
    genuine = proven(authority, lost(Kind.SUBJECT, "alice"))
    offer(stage, genuine)
    await_settled(stage)
    before = stage.entries()
    moved = replace(genuine, position=Position(genuine.position.epoch, 77))
    for again in (genuine, moved, before[0]):
        offer(stage, again, again)
        await_settled(stage)
    assert stage.entries() == before


def test_what_stands_in_the_log_is_not_appended_again(stage: Stage) -> None:
    authority = stage.authority()
    authority.revoke(annul.SubjectId("alice"))
    grant = authority.login("alice", client_id="web")
    before = stage.entries()
    offer(stage, *before)
    await_settled(stage)
    assert stage.entries() == before
    await_outcome(authority.verify, grant.access_token, ACCEPTED)


def test_two_authorities_append_it_once(stage: Stage) -> None:
    authorities = [stage.authority() for _ in range(2)]
    many = [proven(authorities[0], lost(Kind.TOKEN, f"token {n}")) for n in range(30)]
    for entry in many:
        offer(stage, entry)
    await_settled(stage)
    tags = [entry.tag for entry in stage.entries()]
    assert sorted(tags) == sorted(entry.tag for entry in many)


@pytest.mark.parametrize("claimed", [0, 1, None])
def test_until_when_it_is_remembered_is_worked_out_again(stage: Stage, claimed: int | None) -> None:
    authority = stage.authority()
    receipt = authority.revoke(annul.SubjectId("bob"))
    (usual,) = stage.entries()
    assert usual.expires_at is not None
    genuine = proven(authority, lost(Kind.SUBJECT, "alice", at=usual.at))
    offer(stage, replace(genuine, expires_at=claimed))
    await_settled(stage)
    _, entry = stage.entries()
    assert entry.expires_at is not None
    assert 0 <= entry.expires_at - usual.expires_at <= 10
    assert entry.position.seq == (receipt.seq or 0) + 1


@pytest.mark.parametrize("kind", [Kind.SUBJECT, Kind.SESSION, Kind.CLIENT, Kind.TOKEN])
def test_what_has_run_out_does_not_come_back(stage: Stage, kind: Kind) -> None:
    # At a position of today it would end sessions that it has nothing to do with.
    authority = stage.authority(session_ttl=3600, idle_ttl=3600)
    grant = authority.login("alice", client_id="web")
    values = {Kind.CLIENT: "web", Kind.SESSION: grant.session_id, Kind.TOKEN: grant.jti}
    week_ago = time.time() - 7 * 86_400
    offer(stage, proven(authority, lost(kind, values.get(kind, "alice"), at=week_ago)))
    await_settled(stage)
    assert stage.entries() == ()
    await_outcome(authority.verify, grant.access_token, ACCEPTED)


def test_a_revocation_of_a_key_takes_the_key_out_of_the_ring(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    kid = authority.verify(grant.access_token).key_id
    offer(stage, proven(authority, lost(Kind.KEY, kid, expires_at=None)))
    await_outcome(authority.verify, grant.access_token, "unknown_key")
    eventually(
        lambda: (
            outcome(authority.verify, authority.login("bob", client_id="web").access_token)
            == ACCEPTED
        )
    )
    with pytest.raises(annul.InvalidRequest):
        authority.export_key(kid)


def test_one_of_a_foreign_issuer_is_taken_as_such(stage: Stage) -> None:
    authority = stage.authority()
    idp = "https://idp.example"
    entry = lost(Kind.SUBJECT, "x", issuer=idp, fingerprint=Fingerprinter(idp)(Kind.SUBJECT, "x"))
    offer(stage, proven(authority, entry))
    await_settled(stage)
    (taken,) = stage.entries()
    assert (taken.issuer, taken.fingerprint) == (idp, entry.fingerprint)
    assert taken.expires_at is not None
    assert taken.expires_at > time.time() + 300 * 86_400


def test_nobody_takes_what_is_offered_while_no_authority_is_open(shared_stage: Stage) -> None:
    authority = shared_stage.authority()
    genuine = proven(authority, lost(Kind.SUBJECT, "alice"))
    authority.close()
    offer(shared_stage, genuine)
    assert shared_stage.ask(lambda store: store.offers()) == (genuine,)
    shared_stage.authority()
    await_settled(shared_stage)
    assert [entry.tag for entry in shared_stage.entries()] == [genuine.tag]
