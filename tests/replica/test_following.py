"""Replicas in other processes follow the store: what was revoked is refused within Δ."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import pytest

import annul
from annul.testing import sample_draft
from tests.children import Child
from tests.stage import ACCEPTED, DELTA, await_entry, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    from tests.stage import Stage

Revoke = Callable[[annul.Authority, annul.Grant], object]
REVOKED: dict[str, Revoke] = {
    "token": lambda authority, grant: authority.revoke(annul.TokenId(grant.jti)),
    "session": lambda authority, grant: authority.logout(grant.access_token),
    "subject": lambda authority, _grant: authority.revoke(annul.SubjectId("alice")),
    "client": lambda authority, _grant: authority.revoke(annul.ClientId("web")),
    "everything": lambda authority, _grant: authority.revoke(annul.Everything()),
    "block": lambda authority, _grant: authority.block("alice"),
    "key": lambda authority, grant: authority.revoke(
        annul.KeyId(authority.verify(grant.access_token).key_id)
    ),
}


def assert_refused_within_delta(
    ask: Callable[[str], str], token: str, revoke: Callable[[], object], code: str
) -> None:
    """No verification that begins later than Δ after the revocation returned may accept."""
    revoke()
    returned = time.monotonic()
    while True:
        began = time.monotonic()
        answer = ask(token)
        if answer != ACCEPTED:
            break
        assert began <= returned + DELTA
    assert answer == code


def accepts(child: Child, grant: annul.Grant) -> bool:
    return bool(child.ask(grant.access_token) == ACCEPTED)


def test_another_process_refuses_within_delta(shared_stage: Stage) -> None:
    authority = shared_stage.authority()
    with Child("replica", shared_stage.url) as child:
        for name, revoke in REVOKED.items():
            grant = authority.login("alice", client_id="web")
            other = authority.login("bob", client_id="cli")
            eventually(partial(accepts, child, grant))
            assert_refused_within_delta(
                child.ask,
                grant.access_token,
                partial(revoke, authority, grant),
                "unknown_key" if name == "key" else "revoked",
            )
            if name not in {"everything", "key"}:
                assert child.ask(other.access_token) == ACCEPTED
            if name == "block":
                authority.unblock("alice")
                eventually(partial(accepts, child, grant))


def test_an_authority_in_another_process_is_heard_too(shared_stage: Stage) -> None:
    authority = shared_stage.authority(grace=0)
    replica = shared_stage.replica()
    first = authority.login("alice", client_id="web")
    second = authority.refresh(first.refresh_token)
    third = authority.refresh(second.refresh_token)
    assert outcome(replica.verify, third.access_token) == ACCEPTED
    with Child("authority", shared_stage.url, str(shared_stage.kek_file)) as child:
        answers = child.ask(first.refresh_token)
    assert sorted(set(answers)) == ["refresh_replayed", "session_ended"]
    assert answers.count("refresh_replayed") == 1
    eventually(lambda: outcome(replica.verify, third.access_token) == "revoked", within=DELTA)
    eventually(lambda: outcome(authority.verify, third.access_token) == "revoked", within=DELTA)


@pytest.mark.parametrize("count", [1, 2500])
def test_many_entries_at_once_are_read_to_the_end(shared_stage: Stage, count: int) -> None:
    # More than one page of the log, both for who follows and for who begins afterwards.
    authority = shared_stage.authority()
    replica = shared_stage.replica()
    grant = authority.login("alice", client_id="web")
    drafts = [sample_draft(annul.Kind.TOKEN, f"token {number}") for number in range(count)]
    shared_stage.ask(lambda store: store.append(drafts))
    receipt = authority.revoke(annul.SessionId(grant.session_id))
    assert receipt.seq == count + 1
    for each in (replica, shared_stage.replica()):
        await_entry(each, count + 1)
        assert outcome(each.verify, grant.access_token) == "revoked"
        assert each.alarms == 0
