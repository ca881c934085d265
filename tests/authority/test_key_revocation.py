"""Revoking a key: replicas drop it at once, it never comes back, and signing goes on."""

from __future__ import annotations

import pytest

import annul
from tests.stage import (
    ACCEPTED,
    ISSUER,
    Stage,
    clock_of_now,
    kids,
    listed,
    outcome,
    pass_time,
    signing_kid,
    states,
)
from tests.waiting import eventually


@pytest.mark.parametrize("issuer", [None, ISSUER])
def test_a_revoked_key_is_replaced_and_dropped_everywhere_at_once(
    stage: Stage, issuer: str | None
) -> None:
    authority = stage.authority()
    replica = stage.replica()
    grant = authority.login("alice", client_id="web")
    old = signing_kid(authority)

    authority.revoke(annul.KeyId(old), reason="key_compromise", issuer=issuer)

    assert outcome(authority.verify, grant.access_token) == "unknown_key"
    assert old not in kids(authority.jwks())
    new = signing_kid(authority)  # its successor signs at once
    assert new != old
    eventually(lambda: kids(replica.jwks) == {new})
    assert outcome(replica.verify, grant.access_token) == "unknown_key"
    fresh = authority.refresh(grant.refresh_token)
    assert outcome(replica.verify, fresh.access_token) == ACCEPTED
    assert kids(stage.replica().jwks) == {new}


def test_another_authority_stops_signing_with_a_revoked_key(stage: Stage) -> None:
    one, two = stage.authority(), stage.authority()
    old = signing_kid(two)
    one.revoke(annul.KeyId(old))
    eventually(lambda: signing_kid(two) != old)
    assert signing_kid(two) == signing_kid(one)


def test_a_revoked_key_is_never_imported_again(stage: Stage) -> None:
    authority = stage.authority()
    old = signing_kid(authority)
    pem = authority.export_key(old)
    authority.revoke(annul.KeyId(old))
    for each in (authority, stage.authority()):
        with pytest.raises(annul.InvalidKey):
            each.import_key(pem)
        assert old not in kids(each.jwks())


def test_a_key_can_be_revoked_before_anybody_has_it(stage: Stage) -> None:
    authority = stage.authority()
    leaked = annul.PrivateKey.generate("ES256")
    signs = signing_kid(authority)
    authority.revoke(annul.KeyId(leaked.kid))
    with pytest.raises(annul.InvalidKey):
        authority.import_key(leaked.to_pem())
    assert signing_kid(authority) == signs


def test_revoking_a_pending_key_leaves_the_present_one_signing(stage: Stage) -> None:
    clock = clock_of_now()
    authority = stage.authority(clock=clock, publish_for=300)
    signs = signing_kid(authority)
    pending = authority.rotate_keys()
    authority.revoke(annul.KeyId(pending))
    assert states(authority) == {signs: "active"}
    clock.advance(100_000)
    assert signing_kid(authority) == signs


def test_revoking_the_active_key_lets_a_pending_one_take_over_at_once(stage: Stage) -> None:
    authority = stage.authority(publish_for=300)
    signs = signing_kid(authority)
    pending = authority.rotate_keys()
    authority.revoke(annul.KeyId(signs))
    assert states(authority) == {pending: "active"}
    assert signing_kid(authority) == pending


def test_a_key_that_is_gone_does_not_come_back_when_its_successor_is_revoked(
    timed_stage: Stage,
) -> None:
    clock = clock_of_now()
    authority = timed_stage.authority(clock=clock, publish_for=0)
    gone = signing_kid(authority)
    successor = authority.rotate_keys()
    pass_time(clock, 365 * 86_400, authority.replica)
    authority.revoke(annul.KeyId(successor))
    assert gone not in states(authority)
    assert signing_kid(authority) not in {gone, successor}


def test_the_key_of_refresh_tokens_cannot_be_revoked(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    (handle,) = (key.kid for key in listed(authority, "handle"))
    with pytest.raises(annul.InvalidRequest):
        authority.revoke(annul.KeyId(handle))
    assert stage.entries() == ()
    assert outcome(authority.refresh, grant.refresh_token) == ACCEPTED


def test_revoking_a_key_twice_is_harmless(stage: Stage) -> None:
    authority = stage.authority()
    old = signing_kid(authority)
    authority.revoke(annul.KeyId(old))
    new = signing_kid(authority)
    authority.revoke(annul.KeyId(old))
    assert signing_kid(authority) == new


def test_a_revoked_key_stays_revoked_for_ever(timed_stage: Stage) -> None:
    clock = clock_of_now()
    authority = timed_stage.authority(clock=clock)
    old = signing_kid(authority)
    authority.revoke(annul.KeyId(old))
    authority.revoke(annul.SubjectId("somebody"))
    authority.revoke(annul.SubjectId("somebody else"))
    pass_time(clock, 10 * 365 * 86_400, authority.replica)
    authority.login("somebody", client_id="web")  # which prunes what has expired
    kinds = [entry.kind for entry in timed_stage.entries()]
    assert annul.Kind.KEY in kinds
    assert kinds.count(annul.Kind.SUBJECT) == 1  # the head stays
