"""Every kind of target refuses exactly what it should: a population, and who is left of it.

After each revocation the set of refused tokens is compared with the expected one: at the authority,
at a replica that was there before, and at one that is opened afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import pytest

import annul
from tests.stage import ACCEPTED, Stage, outcome
from tests.waiting import eventually

SUBJECTS = ("alice", "bob")
CLIENTS = ("web", "cli")
EACH = 2


@dataclass(frozen=True)
class Member:
    """One access token and the session it belongs to."""

    name: str
    subject: str
    client: str
    token: str
    jti: str
    sid: str
    refresh: str
    signed_by: str


def log_in(authority: annul.Authority, subject: str, client: str, name: str) -> list[Member]:
    """Return the first token of a new session and one after a refresh."""
    first = authority.login(subject, client_id=client)
    second = authority.refresh(first.refresh_token)
    return [
        Member(
            f"{name} {which}",
            subject,
            client,
            grant.access_token,
            grant.jti,
            grant.session_id,
            second.refresh_token,
            authority.verify(grant.access_token).key_id,
        )
        for which, grant in (("first", first), ("second", second))
    ]


def population(authority: annul.Authority, name: str) -> list[Member]:
    return [
        member
        for subject in SUBJECTS
        for client in CLIENTS
        for number in range(EACH)
        for member in log_in(authority, subject, client, f"{name} {subject} {client} {number}")
    ]


def refused(verify: Callable[[str], object], members: list[Member], code: str) -> set[str]:
    """Return who is refused; everybody else has to be accepted, and nobody for another reason."""
    outcomes = {member.name: outcome(verify, member.token) for member in members}
    assert set(outcomes.values()) <= {ACCEPTED, code}
    return {name for name, found in outcomes.items() if found == code}


def is_refused(
    verify: Callable[[str], object], members: list[Member], expected: set[str], code: str
) -> bool:
    return refused(verify, members, code) == expected


def names(members: list[Member], chosen: Callable[[Member], bool]) -> set[str]:
    return {member.name for member in members if chosen(member)}


def assert_refused(
    stage: Stage,
    verifiers: Sequence[Callable[[str], object]],
    members: list[Member],
    expected: set[str],
    code: str = "revoked",
) -> None:
    authority, *replicas = verifiers
    assert refused(authority, members, code) == expected  # at once, without waiting
    for verify in (*replicas, stage.replica().verify):
        eventually(partial(is_refused, verify, members, expected, code))


Revoke = Callable[[annul.Authority, Member], annul.RevocationReceipt]
Covers = Callable[[Member, Member], bool]
CASES: dict[str, tuple[Revoke, Covers]] = {
    "token": (
        lambda authority, one: authority.revoke(annul.TokenId(one.jti)),
        lambda one, other: other.jti == one.jti,
    ),
    "session": (
        lambda authority, one: authority.revoke(annul.SessionId(one.sid)),
        lambda one, other: other.sid == one.sid,
    ),
    "subject": (
        lambda authority, one: authority.revoke(annul.SubjectId(one.subject)),
        lambda one, other: other.subject == one.subject,
    ),
    "client": (
        lambda authority, one: authority.revoke(annul.ClientId(one.client)),
        lambda one, other: other.client == one.client,
    ),
    "everything": (
        lambda authority, _one: authority.revoke(annul.Everything()),
        lambda _one, _other: True,
    ),
    "block": (
        lambda authority, one: authority.block(one.subject),
        lambda one, other: other.subject == one.subject,
    ),
}
ENDS_SESSIONS = {"session", "subject", "client", "everything", "block"}
# Whose sessions a receipt does not count, because a revocation must not wait for that.
COUNTED = {"client": None, "everything": None, "block": None}


@pytest.mark.parametrize("kind", CASES)
def test_a_revocation_refuses_what_it_names_and_nothing_else(stage: Stage, kind: str) -> None:
    revoke, covers = CASES[kind]
    authority = stage.authority()
    replica = stage.replica()
    members = population(authority, "before")
    one = members[5]

    receipt = revoke(authority, one)
    later = population(authority, "later") if kind != "block" else []

    expected = names(members, lambda other: covers(one, other))
    assert expected
    verifiers = [authority.verify, replica.verify]
    assert_refused(stage, verifiers, members + later, expected)
    ended = {other.sid for other in members if kind in ENDS_SESSIONS and covers(one, other)}
    assert receipt.sessions == COUNTED.get(kind, len(ended))
    alive = {info.session_id for subject in SUBJECTS for info in authority.sessions(subject)}
    assert alive == {other.sid for other in members + later} - ended


@pytest.mark.parametrize("kind", CASES)
def test_what_is_refused_cannot_be_refreshed(stage: Stage, kind: str) -> None:
    # CVE-2020-10594: a refresh that gave a good token for a revoked one.
    revoke, covers = CASES[kind]
    authority = stage.authority()
    members = population(authority, "before")
    one = members[5]
    revoke(authority, one)
    for other in members[1::2]:
        ended = kind in ENDS_SESSIONS and covers(one, other)
        expected = "session_ended" if ended else ACCEPTED
        assert outcome(authority.refresh, other.refresh) == expected, other.name


def test_a_revoked_key_refuses_what_it_signed_and_nothing_else(stage: Stage) -> None:
    authority = stage.authority(publish_for=0)
    replica = stage.replica()
    before = population(authority, "before")
    kid = authority.rotate_keys()
    after = population(authority, "after")
    assert {member.signed_by for member in after} == {kid}
    eventually(lambda: kid in {key.kid for key in replica.jwks})

    authority.revoke(annul.KeyId(kid), reason="key_compromise")
    later = population(authority, "later")

    expected = names(after, lambda _other: True)
    members = before + after + later
    # The key is gone at once, so its tokens are of a key that nobody knows.
    assert_refused(stage, [authority.verify, replica.verify], members, expected, "unknown_key")
    # The sessions are not over: their next tokens are signed by another key.
    for member in after[1::2]:
        fresh = authority.refresh(member.refresh)
        assert outcome(authority.verify, fresh.access_token) == ACCEPTED


def test_ids_of_one_kind_are_not_ids_of_another(stage: Stage) -> None:
    authority = stage.authority()
    replica = stage.replica()
    members = population(authority, "all")
    one = members[0]
    for target in (
        annul.TokenId(one.sid),
        annul.SessionId(one.jti),
        annul.SubjectId(one.client),
        annul.ClientId(one.subject),
        annul.KeyId(one.sid),
    ):
        assert authority.revoke(target, dry_run=True).sessions == 0
        authority.revoke(target)
    authority.block(one.client)
    mark = authority.revoke(annul.SessionId("the last one"))
    eventually(lambda: replica.watermark is not None and replica.watermark.seq == mark.seq)
    assert_refused(stage, [authority.verify, replica.verify], members, set())


def test_an_entry_about_another_issuer_refuses_nothing_here(stage: Stage) -> None:
    authority = stage.authority()
    members = population(authority, "all")
    one = members[0]
    elsewhere = "https://idp.example"
    for target in (
        annul.TokenId(one.jti),
        annul.SessionId(one.sid),
        annul.SubjectId(one.subject),
        annul.ClientId(one.client),
        annul.KeyId(one.signed_by),
        annul.Everything(),
    ):
        authority.revoke(target, issuer=elsewhere)
    assert_refused(stage, [authority.verify], members, set())
    assert outcome(authority.refresh, one.refresh) == ACCEPTED


@pytest.mark.parametrize("target", ["alice", None, 7, annul.SubjectId, annul.Kind.SUBJECT])
def test_a_target_has_to_say_what_it_is(stage: Stage, target: object) -> None:
    authority = stage.authority()
    with pytest.raises(annul.InvalidRequest):
        authority.revoke(target)  # type: ignore[arg-type]  # that is what is refused
    assert stage.entries() == ()


def test_an_unknown_reason_writes_nothing(stage: Stage) -> None:
    authority = stage.authority()
    with pytest.raises(annul.InvalidRequest):
        authority.revoke(annul.SubjectId("alice"), reason="because")
    assert stage.entries() == ()


def test_an_entry_says_why_and_who_asked(stage: Stage) -> None:
    authority = stage.authority()
    authority.revoke(annul.SubjectId("alice"), reason="password_changed", actor="helpdesk")
    authority.block("bob", reason="user_disabled", actor="hr")
    first, second = stage.entries()
    assert (first.kind, first.id) == (annul.Kind.SUBJECT, "alice")
    assert (first.reason, first.actor) == (annul.Reason.PASSWORD_CHANGED, "helpdesk")
    assert (second.kind, second.reason) == (annul.Kind.BLOCK, annul.Reason.USER_DISABLED)
    assert second.actor == "hr"
