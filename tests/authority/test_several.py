"""Several authorities of one store that were told different things: the longest promise holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import annul
from tests.stage import (
    ACCEPTED,
    Stage,
    await_outcome,
    clock_of_now,
    kids,
    outcome,
    pass_time,
    signing_kid,
)

if TYPE_CHECKING:
    from annul.core.revocation import Target

MINUTE, DAY = 60, 86_400
LEEWAY = 300 + 2 * 60
"""What is added to every expiry: the largest leeway of a policy, and the clocks."""


def test_an_entry_outlives_what_an_authority_opened_later_has_issued(timed_stage: Stage) -> None:
    # The one that revokes was opened before anybody issued anything that lives for days.
    clock = clock_of_now()
    short = timed_stage.authority(
        clock=clock, access_ttl=MINUTE, session_ttl=MINUTE, idle_ttl=MINUTE
    )
    long = timed_stage.authority(clock=clock, access_ttl=DAY, session_ttl=10 * DAY)
    grant = long.login("alice", client_id="web")
    short.logout(grant.access_token)
    for _ in range(6):
        pass_time(clock, DAY / 6 - 10, short.replica, long.replica)
        short.revoke(annul.SubjectId("somebody"))  # so that the entry is not at the head
        short.login("somebody else", client_id="web")  # which prunes
        fresh = timed_stage.replica(clock=clock)
        for verify in (short.verify, long.verify, fresh.verify):
            assert outcome(verify, grant.access_token) == "revoked"
        fresh.close()


@pytest.mark.parametrize("kind", ["session", "subject", "client", "everything", "replay"])
def test_entries_are_remembered_for_the_longest_lifetimes_of_the_store(
    timed_stage: Stage, kind: str
) -> None:
    clock = clock_of_now()
    short = timed_stage.authority(
        clock=clock, access_ttl=MINUTE, session_ttl=MINUTE, idle_ttl=MINUTE, grace=0
    )
    first = short.login("alice", client_id="web")
    second = short.refresh(first.refresh_token)
    timed_stage.authority(clock=clock, access_ttl=DAY, session_ttl=10 * DAY)
    if kind == "replay":
        clock.advance(1)
        with pytest.raises(annul.RefreshReplayed):
            short.refresh(first.refresh_token)
    else:
        targets: dict[str, Target] = {
            "session": annul.SessionId(second.session_id),
            "subject": annul.SubjectId("alice"),
            "client": annul.ClientId("web"),
            "everything": annul.Everything(),
        }
        short.revoke(targets[kind])
    assert timed_stage.entries()
    for entry in timed_stage.entries():
        assert entry.expires_at is not None
        assert entry.expires_at >= clock() + 11 * DAY + LEEWAY


def test_a_key_outlives_longer_tokens_of_an_authority_opened_after_its_rotation(
    timed_stage: Stage,
) -> None:
    clock = clock_of_now()
    short = timed_stage.authority(clock=clock, access_ttl=MINUTE, publish_for=300)
    old = signing_kid(short)
    short.rotate_keys()
    long = timed_stage.authority(clock=clock, access_ttl=DAY, publish_for=300)
    grant = long.login("alice", client_id="web")
    pass_time(clock, DAY - 1, short.replica, long.replica)
    short.rotate_keys()
    assert old in kids(short.jwks())
    fresh = timed_stage.replica(clock=clock)
    for verify in (long.verify, short.verify, fresh.verify):
        assert outcome(verify, grant.access_token) == ACCEPTED


def test_an_expiring_entry_about_a_foreign_issuer_ends_no_session_of_ours(
    timed_stage: Stage,
) -> None:
    clock = clock_of_now()
    authority = timed_stage.authority(clock=clock, session_ttl=300 * DAY, idle_ttl=300 * DAY)
    authenticated = clock() - 5
    for target in (annul.Everything(), annul.SubjectId("alice"), annul.ClientId("web")):
        authority.revoke(target, issuer="https://idp.example")
    authority.revoke(annul.SubjectId("somebody"))
    pass_time(clock, 799 * DAY, authority.replica)
    grant = authority.login("alice", client_id="web", auth_time=authenticated)
    pass_time(clock, 100 * DAY, authority.replica)
    authority.login("somebody", client_id="web")  # which prunes
    issuers = {entry.issuer for entry in timed_stage.entries()}
    assert "https://idp.example" not in issuers
    assert outcome(authority.refresh, grant.refresh_token) == ACCEPTED


def test_an_authority_of_another_issuer_does_not_open_the_store(shared_stage: Stage) -> None:
    shared_stage.authority()
    with pytest.raises(annul.WrongStore):
        shared_stage.authority(issuer="https://other.example")


def test_an_authority_whose_clock_is_wrong_by_a_day_forgets_nothing(stage: Stage) -> None:
    right = stage.authority()
    grant = right.login("alice", client_id="web")
    right.revoke(annul.SubjectId("alice"))
    right.revoke(annul.SubjectId("somebody"))
    wrong_clock = clock_of_now()
    wrong_clock.advance(500 * DAY)
    if stage.kind == "valkey":  # elsewhere the store's clock is the authority's
        wrong = stage.authority(clock=wrong_clock, ready_timeout=0.1)
        wrong.login("bob", client_id="web")
        assert len(stage.entries()) == 2
    await_outcome(right.verify, grant.access_token, "revoked")
    assert right.replica.fresh


def test_an_authority_whose_clock_is_behind_the_founders_works_at_once(stage: Stage) -> None:
    ahead, behind = clock_of_now(), clock_of_now()
    ahead.advance(25)
    behind.advance(-25)
    one, two = stage.authority(clock=ahead), stage.authority(clock=behind)
    grant = two.login("alice", client_id="web")
    await_outcome(one.verify, grant.access_token, ACCEPTED)
    fresh = two.refresh(grant.refresh_token)
    one.revoke(annul.KeyId(one.verify(fresh.access_token).key_id))
    await_outcome(two.verify, fresh.access_token, "unknown_key")
    again = two.refresh(fresh.refresh_token)
    await_outcome(one.verify, again.access_token, ACCEPTED)
