"""Claims that are out of date: a refresh heals them, and nobody has to log in again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import annul
from annul.core.revocation import Kind
from tests.stage import (
    ACCEPTED,
    Stage,
    await_entry,
    await_fresh,
    await_outcome,
    outcome,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

STALE = "refresh_needed"


def roles(*names: str) -> dict[str, Any]:
    return {"roles": list(names)}


def test_tokens_from_before_are_refused_and_one_refresh_heals_it(stage: Stage) -> None:
    authority, replica = stage.authority(), stage.replica()
    grant = authority.login("alice", client_id="web", claims=roles("reader"))
    other = authority.login("bob", client_id="web")
    await_outcome(replica.verify, grant.access_token, ACCEPTED)

    receipt = authority.require_refresh("alice")
    await_entry(replica, receipt.seq)
    await_fresh(replica, authority.replica)
    assert outcome(authority.verify, grant.access_token) == STALE
    assert outcome(replica.verify, grant.access_token) == STALE
    assert outcome(replica.verify, other.access_token) == ACCEPTED

    def present(session: annul.SessionInfo) -> Mapping[str, Any]:
        assert session.subject == "alice"
        return roles("reader", "writer")

    healed = authority.refresh(grant.refresh_token, claims=present)
    await_fresh(replica, authority.replica)
    assert healed.session_id == grant.session_id
    for verify in (authority.verify, replica.verify):
        assert verify(healed.access_token).claims["roles"] == ["reader", "writer"]
    # The next one carries them as well.
    again = authority.refresh(healed.refresh_token)
    assert authority.verify(again.access_token).claims["roles"] == ["reader", "writer"]


def test_a_refresh_without_new_claims_heals_it_too(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web", claims=roles("reader"))
    authority.require_refresh("alice")

    healed = authority.refresh(grant.refresh_token)

    await_fresh(authority.replica)
    assert authority.verify(healed.access_token).claims["roles"] == ["reader"]
    assert outcome(authority.verify, grant.access_token) == STALE


def test_claims_that_go_out_of_date_while_they_are_put_together_are_refused(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")

    def present(_session: annul.SessionInfo) -> Mapping[str, Any]:
        found = roles("reader")
        other.require_refresh("alice")  # by somebody who has just changed them
        return found

    other = stage.authority()
    late = authority.refresh(grant.refresh_token, claims=present)
    await_outcome(authority.verify, late.access_token, STALE)
    healed = authority.refresh(late.refresh_token)
    await_outcome(authority.verify, healed.access_token, ACCEPTED)


def test_a_login_afterwards_is_good(stage: Stage) -> None:
    authority, replica = stage.authority(), stage.replica()
    receipt = authority.require_refresh("alice")
    grant = authority.login("alice", client_id="web")

    await_entry(replica, receipt.seq)
    await_fresh(replica)
    assert outcome(replica.verify, grant.access_token) == ACCEPTED


def test_it_masks_no_revocation_and_is_not_lifted_by_one(stage: Stage) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web")
    authority.require_refresh("alice")
    await_fresh(authority.replica)
    assert outcome(authority.verify, grant.access_token) == STALE

    authority.block("alice")
    assert outcome(authority.verify, grant.access_token) == "revoked"
    authority.unblock("alice")
    assert outcome(authority.verify, grant.access_token) == STALE
    authority.revoke(annul.SubjectId("alice"))
    assert outcome(authority.verify, grant.access_token) == "revoked"
    with pytest.raises(annul.SessionEnded):
        authority.refresh(grant.refresh_token)


def test_it_waits_for_verifiers_like_a_revocation(stage: Stage) -> None:
    authority, replica = stage.authority(), stage.replica()
    grant = authority.login("alice", client_id="web")
    await_outcome(replica.verify, grant.access_token, ACCEPTED)

    receipt = authority.require_refresh("alice", wait=True)

    assert receipt.seq is not None
    assert outcome(replica.verify, grant.access_token) != ACCEPTED


@pytest.mark.parametrize("bad", ["", "a\nb", 7, None])
def test_only_a_subject_can_be_named(stage: Stage, bad: Any) -> None:  # noqa: ANN401 - whatever
    with pytest.raises(annul.InvalidRequest):
        stage.authority().require_refresh(bad)


@pytest.mark.parametrize("bad", [{"sub": "x"}, {"as_of": [1, 2]}, {"since": [1, 2]}, {"a": {1}}, 7])
def test_bad_claims_use_the_token_up_as_little_as_a_function_that_fails(
    stage: Stage,
    bad: Any,  # noqa: ANN401 - whatever
) -> None:
    authority = stage.authority()
    grant = authority.login("alice", client_id="web", claims=roles("reader"))

    def fail(_session: annul.SessionInfo) -> Mapping[str, Any]:
        raise LookupError

    with pytest.raises(annul.InvalidRequest):
        authority.refresh(grant.refresh_token, claims=lambda _session: bad)
    with pytest.raises(LookupError):
        authority.refresh(grant.refresh_token, claims=fail)
    first = authority.refresh(grant.refresh_token)
    assert authority.refresh(first.refresh_token).session_id == grant.session_id


def test_a_dry_run_has_nothing_to_count_and_replicas_tell_the_kind(stage: Stage) -> None:
    authority = stage.authority()
    assert authority.require_refresh("alice").sessions in {None, 0}
    assert Kind.CLAIMS in {entry.kind for entry in authority.replica._verifier.denylist.recent()}


def test_only_the_session_that_asks_is_marked(stage: Stage) -> None:
    authority = stage.authority()
    one = authority.login("alice", client_id="web", claims={"amr": ["pwd", "otp"], "acr": "2"})
    two = authority.login("alice", client_id="web")

    marked = {s.session_id: s.current for s in authority.sessions("alice", current=two.session_id)}
    assert marked == {one.session_id: False, two.session_id: True}
    assert not any(session.current for session in authority.sessions("alice"))
    told = {session.session_id: session for session in authority.sessions("alice")}
    assert (told[one.session_id].amr, told[one.session_id].acr) == (("pwd", "otp"), "2")
    assert (told[two.session_id].amr, told[two.session_id].acr) == ((), None)
