"""A store that has lost its end: its authorities give it back, and nothing refused is accepted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

import annul
from tests.losing import ROLLBACKS, Loss
from tests.stage import ACCEPTED, Stage, await_outcome, outcome, signing_kid, states
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Story:
    """A store, a way to roll it back, and what was refused before that happened.

    ``held`` are of sessions that a restored store has too, ``lost`` of one that it does not have.
    """

    def __init__(self, stage: Stage, loss: Loss) -> None:
        self.stage = stage
        self.loss = loss
        self.authority = stage.authority(publish_for=0)
        self.replica = stage.replica()
        self.old_kid = signing_kid(self.authority)
        names = ("token", "session", "subject", "block", "client", "good")
        self.held = {name: self.authority.login(name, client_id=f"{name} app") for name in names}
        loss.remember()
        for number in range(5):
            self.authority.revoke(annul.SubjectId(f"somebody {number}"))
        self.late = self.authority.login("late", client_id="web")
        self.authority.revoke(annul.TokenId(self.held["token"].jti))
        self.authority.logout(self.held["session"].access_token)
        self.authority.revoke(annul.SubjectId("subject"), reason="token_theft", actor="root")
        self.authority.revoke(annul.ClientId("client app"))
        self.authority.block("block")
        self.tags = {entry.tag: entry for entry in stage.entries()}
        self.head = self.authority.revoke(annul.SubjectId("somebody"))
        eventually(lambda: self.replica.highest == (self.head.epoch, self.head.seq))
        self.tags |= {entry.tag: entry for entry in stage.entries()}
        self.ended = [self.held[name] for name in names[:-1]]

    def lose(self) -> None:
        self.loss.lose()

    def is_refilled(self) -> bool:
        try:
            return {entry.tag for entry in self.stage.entries()} >= set(self.tags)
        except annul.StoreUnavailable:
            return False

    def refill(self) -> None:
        """Wait until the store has everything back; nothing is accepted meanwhile."""

        def refilled() -> bool:
            for grant in self.ended:
                assert outcome(self.replica.verify, grant.access_token) != ACCEPTED
            return self.is_refilled()

        eventually(refilled)
        eventually(lambda: self.replica.fresh and self.authority.replica.fresh)


@pytest.fixture(params=ROLLBACKS)
def story(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Story]:
    server, url = None, f"sqlite:///{tmp_path}/annul.db"
    if str(request.param).startswith("valkey"):
        server = request.getfixturevalue("own_redis")
        url = f"{server.url}?timeout=1.0"
    with Stage(str(request.param), url, tmp_path) as stage:
        yield Story(stage, ROLLBACKS[request.param](stage, server))


def test_everything_that_was_refused_stays_refused_by_everybody(story: Story) -> None:
    story.lose()
    story.refill()
    fresh = story.stage.replica()
    another = story.stage.authority()
    for verifier in (story.replica, story.authority, fresh, another):
        for grant in story.ended:
            await_outcome(verifier.verify, grant.access_token, "revoked")
        await_outcome(verifier.verify, story.held["good"].access_token, ACCEPTED)
    # And in the view of the store, which works out anew who is still logged in.
    for name in ("session", "subject", "client", "block"):
        for authority in (story.authority, another):
            refresh_token = story.held[name].refresh_token
            assert outcome(authority.refresh, refresh_token) == "session_ended", name
    for name in ("token", "good"):
        assert outcome(another.refresh, story.held[name].refresh_token) == ACCEPTED
    with pytest.raises(annul.SubjectBlocked):
        another.login("block", client_id="web")


def test_what_is_given_back_is_what_it_was_and_comes_once(story: Story) -> None:
    story.lose()
    story.refill()
    highest = annul.Position(story.head.epoch or 0, story.head.seq or 0)
    again = {entry.tag: entry for entry in story.stage.entries()}
    assert len(again) == len(story.stage.entries()) == len(story.tags)
    for tag, before in story.tags.items():
        entry = again[tag]
        assert (entry.kind, entry.fingerprint, entry.id) == (
            before.kind,
            before.fingerprint,
            before.id,
        )
        assert (entry.reason, entry.actor, entry.at) == (before.reason, before.actor, before.at)
        assert entry.issuer == before.issuer
        assert entry.position > highest
        if before.expires_at is None:
            assert entry.expires_at is None
        else:
            assert entry.expires_at is not None
            assert entry.expires_at >= before.expires_at
    eventually(lambda: story.stage.ask(lambda store: store.offers()) == ())


def test_a_revocation_after_the_loss_covers_sessions_from_before_it(story: Story) -> None:
    # Without a new epoch it would stand at a position that the session's beginning is beyond.
    story.lose()
    receipt = revoke(story.authority, annul.SubjectId("late"))
    assert annul.Position(receipt.epoch or 0, receipt.seq or 0) > (story.head.epoch, story.head.seq)
    for verifier in (story.authority, story.replica, story.stage.replica()):
        await_outcome(verifier.verify, story.late.access_token, "revoked")


def test_one_by_an_authority_that_was_not_there_covers_them_too(story: Story) -> None:
    # It has never seen those positions; the replicas that have say so in their leases.
    story.authority.close()
    story.lose()
    eventually(lambda: story.replica.alarms)
    newcomer = story.stage.authority()
    newcomer._authority._keeper.stop()  # before it is given anything back
    receipt = newcomer.revoke(annul.SubjectId("late"))
    assert annul.Position(receipt.epoch or 0, receipt.seq or 0) > (story.head.epoch, story.head.seq)
    for verifier in (newcomer, story.replica):
        await_outcome(verifier.verify, story.late.access_token, "revoked")


def test_a_login_after_the_loss_is_not_ended_by_what_was_lost(story: Story) -> None:
    story.lose()
    story.refill()
    fresh = story.stage.replica()
    for subject, client in (("subject", "web"), ("late", "web"), ("new", "client app")):
        grant = story.authority.login(subject, client_id=client)
        for verifier in (story.authority, story.replica, fresh):
            await_outcome(verifier.verify, grant.access_token, ACCEPTED)
        renewed = story.authority.refresh(grant.refresh_token)
        await_outcome(fresh.verify, renewed.access_token, ACCEPTED)


def test_an_authority_that_was_not_there_learns_it_from_the_replicas(story: Story) -> None:
    story.authority.close()
    story.lose()
    newcomer = story.stage.authority()
    story.authority = newcomer
    story.refill()
    for grant in story.ended:
        await_outcome(newcomer.verify, grant.access_token, "revoked")
    assert outcome(newcomer.refresh, story.held["subject"].refresh_token) == "session_ended"
    with pytest.raises(annul.SubjectBlocked):
        newcomer.login("block", client_id="web")


def test_a_revoked_key_stays_revoked_and_another_one_signs(story: Story) -> None:
    pem = story.authority.export_key(story.old_kid)
    story.authority.revoke(annul.KeyId(story.old_kid))
    story.tags |= {entry.tag: entry for entry in story.stage.entries()}
    eventually(lambda: story.replica.highest == story.stage.entries()[-1].position)
    story.lose()
    story.refill()
    fresh = story.stage.replica()
    another = story.stage.authority()
    for verifier in (story.replica, story.authority, fresh, another):
        await_outcome(verifier.verify, story.held["good"].access_token, "unknown_key")
    for authority in (story.authority, another):
        eventually(partial(signs_well, authority, fresh))
        assert story.old_kid not in states(authority)
        with pytest.raises(annul.InvalidKey):
            authority.import_key(pem)


def test_a_newcomer_stops_to_sign_with_a_key_whose_revocation_was_lost(story: Story) -> None:
    story.authority.revoke(annul.KeyId(story.old_kid))
    story.tags |= {entry.tag: entry for entry in story.stage.entries()}
    eventually(lambda: story.replica.highest == story.stage.entries()[-1].position)
    story.authority.close()
    story.lose()
    newcomer = story.stage.authority()
    assert story.old_kid in states(newcomer)  # it does not know better yet
    story.authority = newcomer
    story.refill()
    eventually(lambda: story.old_kid not in states(newcomer))
    fresh = story.stage.replica()
    eventually(lambda: signs_well(newcomer, fresh))


def revoke(authority: annul.Authority, target: annul.SubjectId) -> annul.RevocationReceipt:
    """Revoke as soon as the store answers again; the connection may have to be made anew."""
    receipts: list[annul.RevocationReceipt] = []

    def try_it() -> bool:
        try:
            receipts.append(authority.revoke(target))
        except annul.StoreUnavailable:
            return False
        return True

    eventually(try_it)
    return receipts[0]


def signs_well(authority: annul.Authority, replica: annul.Replica) -> bool:
    """Whether a replica accepts what an authority signs."""
    try:
        token = authority.login("somebody new", client_id="web").access_token
    except annul.StoreUnavailable:
        return False
    return outcome(replica.verify, token) == ACCEPTED


def test_a_backup_does_not_lower_what_verifiers_were_allowed(stage: Stage) -> None:
    if stage.kind != "sqlite":
        pytest.skip("a backup of a file, made and put back")
    authority = stage.authority()
    loss = ROLLBACKS["sqlite-overwritten"](stage, None)
    loss.remember()
    authority.close()
    authority = stage.authority(horizon=60.0, access_ttl=3600)

    loss.lose()

    def limits() -> tuple[float, int]:
        identity = stage.ask(lambda store: store.identity())
        assert identity is not None
        return identity.horizon, identity.longest_token

    eventually(lambda: limits() == (60.0, 3600))
    with pytest.raises(annul.NotYetConfirmed):
        authority.revoke(annul.SubjectId("alice"), wait=True, timeout=0.5)
