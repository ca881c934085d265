"""Proofs: only what an authority of this lineage has decided is recognised after a loss."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.keyring import Keyring, Purpose
from annul.core.proof import is_proven, prove, proven_at
from annul.core.revocation import Kind, Position, Reason, Revocation
from annul.testing import ISSUER, NOW

KEY_ID, KEY = "AAAAAAAAAAAAAAAAAAAAAA", b"k" * 32
KEYS = {KEY_ID: KEY, "another": b"o" * 32, "": b"e" * 32}
TAG, MARK = b"t" * 16, b"m" * 12


def entry(**fields: object) -> Revocation:
    """Return an entry with its proof; keywords are what the proof is about."""
    decided = Revocation(
        position=Position(7, 5),
        tag=TAG,
        issuer=ISSUER,
        kind=Kind.SUBJECT,
        fingerprint=MARK,
        reason=Reason.ADMIN,
        at=NOW,
        expires_at=int(NOW) + 100,
        id="alice",
        actor="root",
    )
    decided = replace(decided, **fields)  # type: ignore[arg-type]  # its own fields
    return replace(decided, proof=prove(decided, KEY_ID, KEY))


def test_what_was_decided_is_proven() -> None:
    assert is_proven(entry(), KEYS.get)


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_can_be_proven(kind: Kind) -> None:
    assert is_proven(entry(kind=kind), KEYS.get)


@pytest.mark.parametrize(
    "field",
    [
        {"tag": b"u" * 16},
        {"tag": TAG[:-1]},
        {"issuer": ISSUER + "/"},
        {"kind": Kind.CLIENT},
        {"kind": Kind.BLOCK},
        {"fingerprint": b"n" * 12},
        {"reason": Reason.LOGOUT},
        {"at": NOW - 1},
        {"at": NOW - 2**-20},
        {"id": "alicf"},
        {"id": None},
        {"id": ""},
        {"actor": "toor"},
        {"actor": None},
        {"actor": ""},
    ],
    ids=repr,
)
def test_a_changed_entry_is_not_proven(field: dict[str, object]) -> None:
    changed = replace(entry(), **field)  # type: ignore[arg-type]  # its own fields
    assert not is_proven(changed, KEYS.get)


@pytest.mark.parametrize(
    "field",
    [
        {"position": Position(9, 1)},
        {"expires_at": None},
        {"expires_at": 0},
        {"lifts": (b"b" * 16,)},
    ],
    ids=repr,
)
def test_what_the_store_decides_is_no_part_of_it(field: dict[str, object]) -> None:
    assert is_proven(replace(entry(), **field), KEYS.get)  # type: ignore[arg-type]  # (the same)


@pytest.mark.parametrize("field", ["id", "actor"])
def test_nothing_and_an_empty_text_are_two_things(field: str) -> None:
    for stated, claimed in ((None, ""), ("", None)):
        decided = entry(**{field: stated})
        assert is_proven(decided, KEYS.get)
        assert not is_proven(replace(decided, **{field: claimed}), KEYS.get)  # type: ignore[arg-type]  # its own fields


def test_text_does_not_move_from_one_field_into_the_next() -> None:
    one = entry(id="ab", actor="c")
    assert not is_proven(replace(one, id="a", actor="bc"), KEYS.get)
    assert not is_proven(replace(one, id="ab1:c", actor=None), KEYS.get)
    assert not is_proven(replace(one, tag=TAG + MARK[:1], fingerprint=MARK[1:]), KEYS.get)


# --- keys -----------------------------------------------------------------------------------


def test_a_proof_by_a_key_that_is_not_known_proves_nothing() -> None:
    assert not is_proven(entry(), lambda _kid: None)
    assert not is_proven(entry(), {"another": KEY}.get)


def test_a_proof_is_not_taken_for_one_by_another_key() -> None:
    decided = entry()
    mac = decided.proof[-16:]
    for claimed in ("another", ""):
        assert not is_proven(replace(decided, proof=claimed.encode() + mac), KEYS.get)
    # Nor if that key has the same bytes: the key's id is part of the statement.
    twin = {KEY_ID: KEY, "twin": KEY}
    assert not is_proven(replace(decided, proof=b"twin" + mac), twin.get)


def ring_with(purpose: Purpose, byte: bytes = b"a") -> Keyring:
    """Return a ring of one secret, made of this byte alone."""
    return Keyring().add_secret(purpose, now=NOW, needed_for=100, entropy=lambda n: byte * n)


def test_a_key_of_another_lineage_proves_nothing_here() -> None:
    own, other = ring_with(Purpose.FEED, b"a"), ring_with(Purpose.FEED, b"b")
    decided = entry()
    for signer, judge in ((own, own), (own, other), (other, own), (other, other)):
        signed = replace(decided, proof=prove(decided, *signer.secret(Purpose.FEED, NOW)))
        assert is_proven(signed, partial(judge.find_secret, Purpose.FEED)) is (signer is judge)


def test_a_key_of_another_purpose_proves_nothing() -> None:
    ring = ring_with(Purpose.HANDLE)
    decided = entry()
    signed = replace(decided, proof=prove(decided, *ring.secret(Purpose.HANDLE, NOW)))
    assert is_proven(signed, partial(ring.find_secret, Purpose.HANDLE))
    assert not is_proven(signed, partial(ring.find_secret, Purpose.FEED))


# --- bytes that are no proof ----------------------------------------------------------------


@given(proof=st.binary(max_size=60) | st.binary(max_size=60).map(KEY_ID.encode().__add__))
@settings(deadline=None, derandomize=True)
def test_any_bytes_are_no_proof(proof: bytes) -> None:
    assert not is_proven(replace(entry(), proof=proof), KEYS.get)


@given(position=st.integers(0, len(KEY_ID) + 15), flip=st.integers(1, 255))
@settings(deadline=None, derandomize=True)
def test_every_byte_of_a_proof_counts(position: int, flip: int) -> None:
    decided = entry()
    proof = bytearray(decided.proof)
    proof[position] ^= flip
    assert not is_proven(replace(decided, proof=bytes(proof)), KEYS.get)


def test_a_part_of_a_proof_is_none() -> None:
    decided = entry()
    for length in range(len(decided.proof)):
        assert not is_proven(replace(decided, proof=decided.proof[:length]), KEYS.get)
    for length in range(1, len(decided.proof)):
        assert not is_proven(replace(decided, proof=decided.proof[length:]), KEYS.get)


texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4)


@given(one=st.tuples(texts, texts), two=st.tuples(texts, texts))
@settings(deadline=None, derandomize=True)
def test_no_two_statements_have_one_proof(
    one: tuple[str | None, str | None], two: tuple[str | None, str | None]
) -> None:
    first, second = (entry(id=pair[0], actor=pair[1]) for pair in (one, two))
    assert (first.proof == second.proof) is (one == two)


def test_joined_with_a_later_time_an_entry_is_proven_as_of_its_own() -> None:
    joined = replace(entry(), at=NOW + 30)

    assert is_proven(joined, KEYS.get)
    assert proven_at(joined) == NOW
