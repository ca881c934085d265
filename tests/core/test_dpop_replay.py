"""A proof is good once: in one process, in several that share a memory, and whatever clocks do."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from annul.core.dpop import DPoP
from annul.core.replay import ReplayMemory
from annul.errors import InvalidDPoPProof, Misconfigured, NotBound, TooManyProofs, Unavailable
from annul.testing import NOW, FixedClock, ProofForge
from tests.core.dpop_samples import (
    CLIENT,
    CLIENT_KEY,
    STRANGER,
    TOKEN,
    UNBOUND,
    URL,
    server,
    verifier,
)

if TYPE_CHECKING:
    from pathlib import Path

OTHER_URL = "https://api.example/invoices"


def mark(number: int) -> bytes:
    return sha256(str(number).encode()).digest()


def get(dpop: DPoP, proof: str, raw: str = TOKEN) -> str:
    return dpop.verify(verifier(), raw, proof, method="GET", url=URL).subject


def good() -> str:
    return CLIENT.proof("GET", URL, access_token=TOKEN)


# --- once -----------------------------------------------------------------------------------


def test_the_same_proof_twice_is_refused_the_second_time() -> None:
    dpop, proof = server(), good()
    assert get(dpop, proof) == "alice"
    for _ in range(2):
        with pytest.raises(InvalidDPoPProof):
            get(dpop, proof)
    assert get(dpop, good()) == "alice"


def test_an_id_that_was_used_is_used_at_every_url_and_time_but_not_for_other_keys() -> None:
    dpop = server()

    def prove(client: ProofForge, url: str, **claims: Any) -> str:  # noqa: ANN401
        proof = client.proof("GET", url, claims={"jti": "one", **claims})
        return dpop.prove(proof, method="GET", url=url).jkt

    assert prove(CLIENT, URL) == CLIENT.jkt
    for url, iat in ((URL, NOW - 30), (OTHER_URL, NOW), (OTHER_URL, NOW + 10)):
        with pytest.raises(InvalidDPoPProof):
            prove(CLIENT, url, iat=iat)
    assert prove(STRANGER, URL) == STRANGER.jkt


def test_a_proof_that_was_refused_is_not_used_up() -> None:
    memory = ReplayMemory(clock=lambda: NOW)
    dpop = DPoP(memory=memory, clock=lambda: NOW)
    proof = STRANGER.proof("GET", URL, access_token=TOKEN)
    with pytest.raises(NotBound):
        get(dpop, proof)
    with pytest.raises(NotBound):
        get(dpop, CLIENT.proof("GET", URL, access_token=UNBOUND), UNBOUND)
    with pytest.raises(InvalidDPoPProof):
        get(dpop, CLIENT.proof("POST", URL, access_token=TOKEN))
    # So who has no good token cannot fill the memory.
    assert len(memory) == 0


def test_of_many_at_the_same_moment_one_is_accepted() -> None:
    dpop, proof, together = server(), good(), Barrier(8)

    def ask() -> bool:
        together.wait(timeout=30)
        try:
            return get(dpop, proof) == "alice"
        except InvalidDPoPProof:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(asked.result() for asked in [pool.submit(ask) for _ in range(8)]) == 1


def test_servers_that_share_a_memory_accept_a_proof_once_among_them() -> None:
    memory = ReplayMemory(clock=lambda: NOW)
    servers = [DPoP(memory=memory, clock=lambda: NOW) for _ in range(2)]
    proof = good()
    assert get(servers[0], proof) == "alice"
    with pytest.raises(InvalidDPoPProof):
        get(servers[1], proof)


class SharedFile:
    """A memory in a file, as processes on one machine could share it."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("CREATE TABLE IF NOT EXISTS proof (digest BLOB PRIMARY KEY, until REAL)")

    def seen(self, digest: bytes, until: float) -> bool:
        done = self._db.execute("INSERT OR IGNORE INTO proof VALUES (?, ?)", (digest, until))
        return done.rowcount == 0

    def close(self) -> None:
        self._db.close()


def test_a_memory_of_ones_own_can_be_shared_by_processes(tmp_path: Path) -> None:
    files = [SharedFile(tmp_path / "proofs.db") for _ in range(2)]
    one, two = (DPoP(memory=each, clock=lambda: NOW) for each in files)
    first, second = good(), good()
    try:
        assert (get(one, first), get(two, second)) == ("alice", "alice")
        for dpop, proof in ((two, first), (one, second)):
            with pytest.raises(InvalidDPoPProof):
                get(dpop, proof)
    finally:
        for each in files:
            each.close()


class Answering:
    """A memory that answers as it was told."""

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def seen(self, _digest: bytes, _until: float) -> Any:  # noqa: ANN401 - the point
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.mark.parametrize("answer", [None, 0, "", (), "False"], ids=repr)
def test_a_memory_that_gives_no_plain_answer_accepts_nothing(answer: object) -> None:
    with pytest.raises(Unavailable):
        get(DPoP(memory=Answering(answer), clock=lambda: NOW), good())


def test_what_a_memory_raises_comes_out() -> None:
    with pytest.raises(ConnectionError):
        get(DPoP(memory=Answering(ConnectionError()), clock=lambda: NOW), good())


# --- until ----------------------------------------------------------------------------------


def test_a_proof_is_remembered_as_long_as_it_could_be_accepted() -> None:
    for age in (-10, 0, 25, 60):
        clock = FixedClock(NOW)
        dpop = DPoP(clock=clock)
        proof = CLIENT.proof("GET", URL, access_token=TOKEN, claims={"iat": NOW - age})
        assert get(dpop, proof) == "alice"
        for _ in range(3 * 75):
            clock.advance(1 / 3)
            with pytest.raises(InvalidDPoPProof):
                get(dpop, proof)


def test_what_nobody_accepts_any_more_is_forgotten() -> None:
    clock = FixedClock(NOW)
    memory = ReplayMemory(capacity=100, clock=clock)
    for number in range(10_000):
        assert not memory.seen(mark(number), clock() + 60)
        assert memory.seen(mark(number), clock() + 60)
        clock.advance(1)
    assert len(memory) <= 60 + 8 + 1
    assert memory.refused == 0


def test_a_clock_that_is_set_forward_and_back_brings_no_proof_to_life() -> None:
    clock = FixedClock(NOW)
    memory = ReplayMemory(clock=clock)
    assert not memory.seen(mark(0), NOW + 60)
    clock.advance(1000)
    assert not memory.seen(mark(1), clock() + 60)
    clock.set(NOW)
    assert memory.seen(mark(0), NOW + 60)
    # Nor does it cost more than the proofs that were forgotten could have lived.
    clock.advance(10)
    assert not memory.seen(mark(2), clock() + 60)


# --- full -----------------------------------------------------------------------------------


def test_a_full_memory_accepts_nothing_new_and_forgets_nothing() -> None:
    clock = FixedClock(NOW)
    memory = ReplayMemory(capacity=2, clock=clock)
    dpop = DPoP(memory=memory, clock=clock)
    used = [good(), good()]
    for proof in used:
        assert get(dpop, proof) == "alice"
    late = good()
    with pytest.raises(TooManyProofs):
        get(dpop, late)
    for proof in used:
        with pytest.raises(InvalidDPoPProof):
            get(dpop, proof)
    assert (memory.refused, len(memory)) == (1, 2)
    # The proof that found no room is still good.
    clock.advance(60)
    with pytest.raises(TooManyProofs):
        get(dpop, late)
    fresh = ProofForge(key=CLIENT_KEY, clock=clock).proof("GET", URL, access_token=TOKEN)
    clock.advance(9)
    assert get(dpop, fresh) == "alice"


@pytest.mark.parametrize("capacity", [0, -1, True, 1.5, "1", None])
def test_a_memory_without_room_is_not_built(capacity: Any) -> None:  # noqa: ANN401
    with pytest.raises(Misconfigured):
        ReplayMemory(capacity)
    with pytest.raises(Misconfigured):
        ReplayMemory(clock=capacity)
