"""The story of the demonstration, step by step. A step says what it expects and what it found."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import annul
from annul.core.encoding import b64url_decode, parse_object
from annul.errors import AnnulError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from annul.cli.demo_stage import Stage

__all__ = ["STORY", "Check", "Event", "Note", "Shown", "Step"]


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence that explains what is seen."""

    text: str


@dataclass(frozen=True, slots=True)
class Shown:
    """Something to look at: JSON under a name, with a word about some of its members."""

    name: str
    value: dict[str, Any]
    words: dict[str, str]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that must be so. ``ms`` is how long it took to become so, where that matters."""

    what: str
    expected: str
    actual: str
    ms: float | None = None

    @property
    def good(self) -> bool:
        """Whether it went as told."""
        return self.actual == self.expected


Event = Note | Shown | Check


@dataclass(frozen=True, slots=True)
class Step:
    """One scene: its name for machines, its title for people, and what happens."""

    name: str
    title: str
    play: Callable[[Stage], Iterator[Event]]


ACCEPTED = "accepted"
REVOKED = annul.Revoked.code
CLIENT = "web"
_SECOND_TRIES = 8
_CLAIMS_EXPLAINED = {
    "jti": "names this one token",
    "sid": "names the session: this login on this device",
    "since": "how far the log of revocations was at the login",
}


# --- what steps are made of -------------------------------------------------------------------


def _log_in(stage: Stage, device: str) -> annul.Grant:
    grant = stage.authority.login(
        "alice", client_id=CLIENT, scope="read write", claims={"roles": ["staff"]}, device=device
    )
    stage.grants[device] = grant
    return grant


def _becomes(stage: Stage, what: str, token: str, wanted: str) -> Check:
    """Ask the other process from now on until it says what it should."""
    verdict = stage.elsewhere.until(token, wanted)
    return Check(what, wanted, verdict.word, verdict.ms)


def _is(stage: Stage, what: str, token: str, wanted: str = ACCEPTED) -> Check:
    verdict = stage.elsewhere.now(token)
    return Check(what, wanted, verdict.word)


def _refuses(what: str, error: type[AnnulError], action: Callable[[], object]) -> Check:
    """Do something that the authority must refuse."""
    try:
        action()
    except AnnulError as refusal:
        return Check(what, error.code, refusal.code)
    return Check(what, error.code, "done")


def _part(token: str, index: int) -> dict[str, Any]:
    return parse_object(b64url_decode(token.split(".")[index]))


# --- the steps --------------------------------------------------------------------------------


def _keys(stage: Stage) -> Iterator[Event]:
    (key,) = stage.authority.jwks()
    document = key.to_jwk()
    yield Note(f"{key.algorithms[0]} key pair {key.kid[:12]}…: the private half signs and stays")
    yield Check(
        "what is published holds no private part",
        "public",
        "private" if "d" in document else "public",
    )


def _login(stage: Stage) -> Iterator[Event]:
    laptop = _log_in(stage, "laptop")
    _log_in(stage, "phone")
    yield Shown("header", _part(laptop.access_token, 0), {})
    yield Shown("claims", _part(laptop.access_token, 1), _CLAIMS_EXPLAINED)
    yield Check("Alice has two sessions", "2", str(len(stage.authority.sessions("alice"))))


def _verifier(stage: Stage) -> Iterator[Event]:
    began = time.perf_counter()
    process = stage.start_verifier()
    took = (time.perf_counter() - began) * 1000
    yield Note(f"process {process.pid} is ready after {took:.0f} ms; it has no private key")
    for device in ("laptop", "phone"):
        yield _is(
            stage, f"the verifier accepts the {device}'s token", stage.grants[device].access_token
        )


def _logout(stage: Stage) -> Iterator[Event]:
    laptop = stage.grants["laptop"]
    stage.authority.logout(laptop.access_token)
    yield _becomes(stage, "the verifier refuses the laptop's token", laptop.access_token, REVOKED)
    yield _refuses(
        "its refresh token is refused too",
        annul.SessionEnded,
        lambda: stage.authority.refresh(laptop.refresh_token),
    )
    yield _is(stage, "the phone is still logged in", stage.grants["phone"].access_token)


def _disabled(stage: Stage) -> Iterator[Event]:
    phone = stage.grants["phone"].access_token
    stage.authority.block("alice", reason="user_disabled")
    yield _becomes(stage, "the verifier refuses the phone's token", phone, REVOKED)
    yield _refuses("a login is refused", annul.SubjectBlocked, lambda: _log_in(stage, "tablet"))
    stage.authority.unblock("alice")
    yield _becomes(stage, "enabled again, the phone's token is good", phone, ACCEPTED)


def _stolen(stage: Stage) -> Iterator[Event]:
    authority = stage.authority
    stolen = _log_in(stage, "laptop").refresh_token
    yield Note("a thief copies the laptop's refresh token; the laptop goes on and rotates it twice")
    second = authority.refresh(stolen, client_id=CLIENT)
    victim = authority.refresh(second.refresh_token, client_id=CLIENT)
    yield _becomes(stage, "the laptop works", victim.access_token, ACCEPTED)
    yield _refuses(
        "the thief presents the copy: it was used before",
        annul.RefreshReplayed,
        lambda: authority.refresh(stolen, client_id=CLIENT),
    )
    yield Note("nobody can say which of the two is Alice, so the session ends")
    yield _becomes(stage, "the verifier refuses its access token", victim.access_token, REVOKED)
    yield _refuses(
        "the newest refresh token is refused",
        annul.SessionEnded,
        lambda: authority.refresh(victim.refresh_token, client_id=CLIENT),
    )
    yield _is(stage, "the phone is still logged in", stage.grants["phone"].access_token)


def _same_second(stage: Stage) -> Iterator[Event]:
    # Which second it is, nobody can choose; what happens does not depend on it.
    for _ in range(_SECOND_TRIES):
        before = _log_in(stage, "laptop").access_token
        stage.authority.revoke(annul.SubjectId("alice"), reason="password_changed")
        after = _log_in(stage, "laptop").access_token
        issued = [_part(token, 1)["iat"] for token in (before, after)]
        if issued[0] == issued[1]:
            break
    yield Note(
        f"one token has the iat {issued[0]}, the next {issued[1]}: no clock tells them apart"
    )
    yield Check("both are of the same second", "yes", "yes" if issued[0] == issued[1] else "no")
    yield _becomes(stage, "the verifier refuses the token from before", before, REVOKED)
    yield _is(stage, "it accepts the token from after", after)
    yield _is(stage, "the phone has to log in again", stage.grants["phone"].access_token, REVOKED)


def _hijacked(stage: Stage) -> Iterator[Event]:
    phone = _log_in(stage, "phone")
    yield _becomes(stage, "the verifier accepts the phone's token", phone.access_token, ACCEPTED)
    stage.authority.revoke(annul.SessionId(phone.session_id), reason="session_hijack")
    yield _becomes(stage, "now it refuses it", phone.access_token, REVOKED)
    yield _is(stage, "the laptop goes on", stage.grants["laptop"].access_token)


def _compromised(stage: Stage) -> Iterator[Event]:
    authority, laptop = stage.authority, stage.grants["laptop"]
    old = str(_part(laptop.access_token, 0)["kid"])
    leaked = authority.export_key(old)
    authority.revoke(annul.KeyId(old), reason="key_compromise")
    # A verifier drops the key itself, so the token names one that is not trusted any more.
    yield _becomes(
        stage,
        "the verifier refuses every token of that key",
        laptop.access_token,
        annul.UnknownKey.code,
    )
    renewed = authority.refresh(laptop.refresh_token, client_id=CLIENT)
    new = str(_part(renewed.access_token, 0)["kid"])
    yield Note(f"the session goes on; its next token is signed with {new[:12]}…")
    yield Check("that is another key", "yes", "no" if new == old else "yes")
    yield _becomes(stage, "the verifier accepts the new token", renewed.access_token, ACCEPTED)
    yield _refuses(
        "the leaked key can never come back",
        annul.InvalidKey,
        lambda: authority.import_key(leaked),
    )


STORY = (
    Step("keys", "The authority makes its keys", _keys),
    Step("login", "Alice logs in on two devices", _login),
    Step("verifier", "Another process verifies, with the public side of the store only", _verifier),
    Step("logout", "Alice logs out on the laptop", _logout),
    Step("disabled_account", "Her account is disabled, and enabled again", _disabled),
    Step("stolen_refresh_token", "A refresh token is stolen and used a second time", _stolen),
    Step("same_second", "She changes her password and logs in again at once", _same_second),
    Step("session_hijack", "One session is hijacked and revoked", _hijacked),
    Step("key_compromise", "The signing key leaks", _compromised),
)
"""Every step, in order."""
