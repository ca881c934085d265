"""Events: what an authority and its replica do is told once, in order, and without secrets."""

from __future__ import annotations

import contextlib
import json
import threading
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import pytest

import annul
from annul import events
from annul.delivery import Delivery
from tests.losing import Overwritten
from tests.stage import DELTA, Stage, clock_of_now, pass_time
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

OF_REPLICAS = (events.Fresh, events.Stale)


def told(queue: SimpleQueue[events.Event]) -> list[events.Event]:
    """Return what was told so far, without a replica's comings and goings."""
    found = [queue.get() for _ in range(queue.qsize())]
    return [event for event in found if not isinstance(event, OF_REPLICAS)]


class Heard:
    """A listener, and an authority that tells it."""

    def __init__(self, stage: Stage, **settings: Any) -> None:  # noqa: ANN401 - those of open
        self.queue: SimpleQueue[events.Event] = SimpleQueue()
        given = {"max_staleness": 10.0} | settings  # not stale on a busy machine
        self.authority = stage.authority(events=self.queue.put, **given)

    def of(self, action: Callable[[], object]) -> list[events.Event]:
        """Return the events of an action, which may be refused."""
        assert self.authority._authority._witness.settle(10.0)  # what came before is told by then
        told(self.queue)
        with contextlib.suppress(annul.RequestRefused):
            action()
        assert self.authority._authority._witness.settle(10.0)
        return told(self.queue)


def test_the_life_of_a_session_is_told(timed_stage: Stage) -> None:
    clock = clock_of_now()
    heard = Heard(timed_stage, clock=clock, max_staleness=DELTA)
    authority = heard.authority
    grants: list[annul.Grant] = []
    (login,) = heard.of(
        lambda: grants.append(
            authority.login("alice", client_id="web", device="Phone", address="192.0.2.1")
        )
    )
    assert isinstance(login, events.Login)
    about = {
        "subject": "alice",
        "client_id": "web",
        "session_id": grants[0].session_id,
        "device": "Phone",
    }
    assert login.as_dict() == {"event": "login", "at": login.at, "address": "192.0.2.1"} | about

    first = partial(authority.refresh, grants[0].refresh_token)
    (refresh,) = heard.of(partial(first, address="192.0.2.2"))
    assert refresh.as_dict() == about | {
        "event": "refresh",
        "at": refresh.at,
        "address": "192.0.2.2",
    }
    (retry,) = heard.of(partial(first, address="198.51.100.7"))
    assert isinstance(retry, events.Retry)
    assert (retry.address, retry.device, retry.rotated_at) == ("198.51.100.7", "Phone", refresh.at)
    pass_time(clock, 20, authority.replica)
    (reuse,) = heard.of(first)
    assert isinstance(reuse, events.Reuse)
    assert (reuse.session_id, reuse.rotated_at) == (grants[0].session_id, refresh.at)
    assert reuse.at > refresh.at
    (refused,) = heard.of(first)
    assert isinstance(refused, events.RefreshRefused)
    assert refused.code == "session_ended"


def test_what_is_taken_back_is_told_with_reason_and_actor(stage: Stage) -> None:
    heard = Heard(stage)
    authority = heard.authority
    grant, other = (authority.login("alice", client_id="web") for _ in range(2))
    # A busy machine may let the replica go stale besides.
    (logout,) = (
        event
        for event in heard.of(lambda: authority.logout(grant.access_token))
        if isinstance(event, events.Logout)
    )
    assert isinstance(logout, events.Logout)
    assert (logout.subject, logout.session_id) == ("alice", grant.session_id)
    (again,) = heard.of(lambda: authority.logout(grant.refresh_token))
    assert isinstance(again, events.Logout)
    assert (again.session_id, again.client_id) == (grant.session_id, "web")

    (revoke,) = heard.of(
        lambda: authority.revoke(annul.ClientId("web"), reason="client_compromise", actor="root")
    )
    assert isinstance(revoke, events.Revoke)
    assert (revoke.kind, revoke.id, revoke.reason, revoke.actor) == (
        "client",
        "web",
        "client_compromise",
        "root",
    )
    assert revoke.position == stage.entries()[-1].position

    kinds = [
        type(event)
        for event in (
            *heard.of(lambda: authority.block("alice", actor="root")),
            *heard.of(lambda: authority.login("alice", client_id="web")),
            *heard.of(lambda: authority.unblock("alice")),
            *heard.of(lambda: authority.revoke(annul.TokenId(other.jti), dry_run=True)),
        )
    ]
    assert kinds == [events.Block, events.LoginRefused, events.Unblock]


def test_every_other_session_that_is_ended_is_told(stage: Stage) -> None:
    heard = Heard(stage)
    grants = [heard.authority.login("alice", client_id="web") for _ in range(3)]
    ended = heard.of(lambda: heard.authority.end_others(grants[0].access_token))
    ids = {event.id for event in ended if isinstance(event, events.Revoke)}
    assert ids == {grant.session_id for grant in grants[1:]}


def test_what_becomes_of_keys_is_told(stage: Stage) -> None:
    heard = Heard(stage)
    authority = heard.authority
    (rotated,) = heard.of(authority.rotate_keys)
    assert isinstance(rotated, events.KeyRotated)
    assert not rotated.imported
    (exported,) = heard.of(lambda: authority.export_key(rotated.kid))
    assert (exported.name, exported.as_dict()["encrypted"]) == ("key_exported", False)
    (revoked,) = heard.of(lambda: authority.revoke(annul.KeyId(rotated.kid), reason="admin"))
    assert isinstance(revoked, events.KeyRevoked)
    assert revoked.kid == rotated.kid
    pem = annul.PrivateKey.generate("ES256").to_pem()
    (imported,) = heard.of(lambda: authority.import_key(pem))
    assert isinstance(imported, events.KeyRotated)
    assert imported.imported


def test_a_replica_tells_when_it_is_fresh_and_when_it_is_not(stage: Stage) -> None:
    heard: list[events.Event] = []
    stage.authority()
    clock = clock_of_now()
    replica = stage.replica(events=heard.append)
    eventually(lambda: [event.name for event in heard] == ["fresh"])
    replica._follower._refuse("store_empty")
    eventually(lambda: len(heard) >= 2)
    assert isinstance(heard[1], events.Stale)
    assert heard[1].cause == "store_empty"
    eventually(lambda: heard[-1].name == "fresh")
    assert abs(heard[0].at - clock()) < 60


def test_a_store_that_lost_data_and_was_given_it_back_is_told_of(file_stage: Stage) -> None:
    heard: list[events.Event] = []
    authority = file_stage.authority(events=heard.append)
    loss = Overwritten(file_stage, None)
    loss.remember()
    authority.revoke(annul.SubjectId("alice"))
    loss.lose()
    eventually(lambda: [event for event in heard if isinstance(event, events.StoreRestored)])
    restored = [event for event in heard if isinstance(event, events.StoreRestored)]
    assert sum(event.entries for event in restored) >= 1
    eventually(lambda: any(isinstance(event, events.StoreLost) for event in heard))


# --- no secrets -----------------------------------------------------------------------------


def test_no_event_holds_a_token_even_where_one_was_put(stage: Stage) -> None:
    heard = Heard(stage)
    authority = heard.authority
    grant = authority.login("alice", client_id="web", claims={"card": "canary-4711"})
    found = [
        *heard.of(
            lambda: authority.login(
                "bob", client_id="web", device=grant.refresh_token, address=grant.refresh_token
            )
        ),
        *heard.of(lambda: authority.revoke(annul.TokenId(grant.access_token))),
        *heard.of(lambda: authority.block(grant.access_token)),
        *heard.of(lambda: authority.logout(grant.access_token)),
        *heard.of(lambda: authority.refresh(grant.refresh_token)),
    ]
    assert len(found) == 5
    text = json.dumps([event.as_dict() for event in found]) + repr(found)
    assert "canary-4711" not in text
    for secret in (*grant.access_token.split("."), grant.refresh_token.split(".")[-1]):
        assert secret not in text


def test_an_ordinary_name_is_left_as_it_is() -> None:
    name = "v1.web.app eyJ.a.b x@example.org"
    event = events.Block(at=1.0, subject=name, reason="admin")
    assert event.subject == name


# --- the listener ---------------------------------------------------------------------------


def test_a_listener_that_fails_breaks_nothing_and_hears_the_rest(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    heard = []

    def listen(event: events.Event) -> None:
        heard.append(event.name)
        if event.name == "login":
            raise ValueError("broken")

    authority = stage.authority(events=listen)
    grant = authority.login("alice", client_id="web")
    authority.refresh(grant.refresh_token)
    eventually(lambda: "refresh" in heard)
    assert any(record.name == "annul.events" for record in caplog.records)


def test_nobody_waits_for_a_slow_listener_and_what_it_misses_is_counted() -> None:
    gate, heard = threading.Event(), []

    def listen(event: events.Event) -> None:
        gate.wait(10.0)
        heard.append(event)

    delivery = Delivery(listen, room=3)
    delivery.tell(events.Fresh(at=0.0))
    eventually(lambda: delivery._busy)
    for number in range(1, 11):
        delivery.tell(events.Fresh(at=float(number)))
    assert not delivery.settle(0.0)
    gate.set()
    assert delivery.settle(10.0)
    assert [event.at for event in heard[:4]] == [0.0, 1.0, 2.0, 3.0]
    assert heard[4:] == [events.Missed(at=3.0, count=7)]


def test_a_listener_may_close_what_it_listens_to(stage: Stage) -> None:
    closed = threading.Event()

    def listen(event: events.Event) -> None:
        if event.name == "login":
            authority.close()
            closed.set()

    authority = stage.authority(events=listen)
    authority.login("alice", client_id="web")
    assert closed.wait(10.0)


async def listen_later(_event: events.Event) -> None:
    raise AssertionError("nobody awaits this")


@pytest.mark.parametrize("listener", ["a name", 7, listen_later])
def test_what_cannot_listen_is_misconfigured(stage: Stage, listener: Any) -> None:  # noqa: ANN401 - that is what is refused
    with pytest.raises(annul.Misconfigured):
        stage.authority(events=listener)
    with pytest.raises(annul.Misconfigured):
        stage.replica(events=listener)


# --- the throttle ---------------------------------------------------------------------------


def refuse(_subject: str, _client_id: str, _address: str | None) -> None:
    raise annul.LoginThrottled("three a minute", retry_after=20.0)


async def refuse_later(subject: str, client_id: str, address: str | None) -> None:
    refuse(subject, client_id, address)


@pytest.mark.parametrize("throttle", [refuse, refuse_later])
def test_a_throttle_refuses_a_login_before_it_begins(
    stage: Stage, throttle: Callable[..., object]
) -> None:
    heard = Heard(stage, throttle=throttle)
    with pytest.raises(annul.LoginThrottled) as caught:
        heard.authority.login("alice", client_id="web", address="192.0.2.1")
    assert caught.value.retry_after == 20.0
    assert heard.authority.sessions("alice") == ()
    (event,) = heard.of(lambda: heard.authority.login("alice", client_id="web", address="::1"))
    assert isinstance(event, events.LoginRefused)
    assert (event.code, event.address) == ("login_throttled", "::1")


def test_a_throttle_is_asked_with_who_and_whence(stage: Stage) -> None:
    asked = []

    def ask(*words: str | None) -> None:
        asked.append(words)

    authority = stage.authority(throttle=ask)
    authority.login("alice", client_id="web", address="192.0.2.1")
    authority.login("bob", client_id="cli")
    assert asked == [("alice", "web", "192.0.2.1"), ("bob", "cli", None)]
    with pytest.raises(annul.InvalidRequest):
        authority.login("", client_id="web")
    assert len(asked) == 2


@pytest.mark.parametrize("answer", [False, True, 0])
def test_a_throttle_that_answers_instead_of_raising_lets_nobody_in(
    stage: Stage, answer: object
) -> None:
    authority = stage.authority(throttle=lambda *_: answer)
    with pytest.raises(annul.Misconfigured):
        authority.login("alice", client_id="web")
    assert authority.sessions("alice") == ()


@pytest.mark.parametrize("address", ["", "a\nb", "x" * 201, 7])
def test_an_address_that_cannot_be_one_is_refused(stage: Stage, address: Any) -> None:  # noqa: ANN401 - that is what is refused
    authority = stage.authority()
    with pytest.raises(annul.InvalidRequest):
        authority.login("alice", client_id="web", address=address)
