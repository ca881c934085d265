"""Nonces of a server: asked for, handed out, good for a while, and nobody else's."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from hypothesis import example, given

from annul.core.dpop import DPoP
from annul.core.dpop_nonces import DPoPNonces
from annul.errors import InvalidDPoPProof, Misconfigured, UseDPoPNonce
from annul.testing import NOW, FixedClock, ProofForge
from tests.core.any_input import OBJECTS, any_text, often
from tests.core.dpop_samples import CLIENT_KEY, TOKEN, URL, verifier

KEY, OTHER = b"k" * 32, b"o" * 32


class Visit:
    """A client and a server on one clock, the server with nonces."""

    def __init__(self, key: bytes = KEY) -> None:
        self.clock = FixedClock(NOW)
        self.nonces = DPoPNonces(key, clock=self.clock)
        self.dpop = DPoP(nonces=self.nonces, clock=self.clock)
        self.client = ProofForge(key=CLIENT_KEY, clock=self.clock)

    def ask(self, nonce: Any = None) -> str:  # noqa: ANN401 - hostile ones too
        claims = {} if nonce is None else {"nonce": nonce}
        proof = self.client.proof("GET", URL, access_token=TOKEN, claims=claims)
        return self.dpop.verify(verifier(), TOKEN, proof, method="GET", url=URL).subject

    def challenged(self, nonce: Any = None) -> str:  # noqa: ANN401
        with pytest.raises(UseDPoPNonce) as caught:
            self.ask(nonce)
        return caught.value.nonce


def test_a_proof_without_a_nonce_is_challenged_and_good_with_the_one_it_gets() -> None:
    visit = Visit()
    nonce = visit.challenged()
    assert nonce == visit.nonces.current()
    assert visit.ask(nonce) == "alice"
    assert visit.ask(nonce) == "alice"  # until there is a new one


def test_a_stale_nonce_is_challenged_with_a_new_one() -> None:
    visit = Visit()
    first = visit.challenged()
    visit.clock.advance(300)
    second = visit.nonces.current()
    assert second != first
    assert (visit.ask(first), visit.ask(second)) == ("alice", "alice")
    visit.clock.advance(300)
    third = visit.challenged(first)
    assert third not in {first, second}
    assert (visit.ask(second), visit.ask(third)) == ("alice", "alice")


def test_a_nonce_is_not_good_before_its_time() -> None:
    visit = Visit()
    visit.clock.advance(300)
    early = visit.nonces.current()
    visit.clock.advance(-300)
    assert visit.challenged(early) != early


def test_a_nonce_of_one_server_is_not_good_at_another() -> None:
    authorization, resource = Visit(), Visit(OTHER)
    theirs = authorization.nonces.current()
    assert resource.challenged(theirs) != theirs
    assert DPoPNonces(clock=lambda: NOW).current() != DPoPNonces(clock=lambda: NOW).current()


def test_processes_with_one_key_accept_each_others_nonces() -> None:
    one, two = Visit(), Visit()
    assert two.ask(one.nonces.current()) == "alice"


def test_a_nonce_does_not_replace_anything_else_in_a_proof() -> None:
    visit = Visit()
    claims = {"nonce": visit.nonces.current()}
    odd: tuple[dict[str, object], ...] = ({"iat": NOW - 61}, {"ath": "x"}, {"jti": ""})
    for more in odd:
        proof = visit.client.proof("GET", URL, access_token=TOKEN, claims=claims | more)
        with pytest.raises(InvalidDPoPProof):
            visit.dpop.verify(verifier(), TOKEN, proof, method="GET", url=URL)


def test_only_a_genuine_proof_for_this_request_is_given_a_nonce() -> None:
    visit = Visit()
    for wrong in ({"htm": "POST"}, {"htu": "https://other.example/"}):
        proof = visit.client.proof("GET", URL, access_token=TOKEN, claims=wrong)
        with pytest.raises(InvalidDPoPProof):
            visit.dpop.verify(verifier(), TOKEN, proof, method="GET", url=URL)


@pytest.mark.parametrize("nonce", ["", "A" * 22, 5, True, [], {}, None], ids=repr)
def test_anything_else_as_a_nonce_is_challenged(nonce: object) -> None:
    visit = Visit()
    proof = visit.client.proof("GET", URL, access_token=TOKEN, claims={"nonce": nonce})
    with pytest.raises(UseDPoPNonce):
        visit.dpop.verify(verifier(), TOKEN, proof, method="GET", url=URL)


@often
@given(any_text)
@example("\ud800")
@example("ł")
def test_no_text_but_the_nonce_itself_is_one(text: str) -> None:
    nonces = DPoPNonces(KEY, clock=lambda: NOW)
    assert not nonces.accepts(text)
    assert not nonces.accepts(f"{nonces.current()} {text}")
    assert nonces.accepts(nonces.current())


def test_no_object_is_a_nonce() -> None:
    nonces = DPoPNonces(KEY, clock=lambda: NOW)
    assert not any(nonces.accepts(each) for each in [*OBJECTS, nonces.current().encode()])


@pytest.mark.parametrize(
    "setting",
    [
        {"key": b"k" * 31},
        {"key": "k" * 32},
        {"key": bytearray(32)},
        {"period": 0},
        {"period": 3601},
        {"period": True},
        {"period": float("nan")},
        {"period": "300"},
        {"clock": 5},
    ],
    ids=repr,
)
def test_settings_of_nonces_that_cannot_work_are_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        DPoPNonces(**setting)


def test_the_key_behind_nonces_is_not_given_away() -> None:
    nonces = DPoPNonces(KEY)
    assert "kkk" not in repr(nonces)
    with pytest.raises(TypeError):
        pickle.dumps(nonces)
