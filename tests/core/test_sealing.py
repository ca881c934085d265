"""Private keys at rest: an envelope opens as what it was sealed for, and as nothing else."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import annul
from annul.core.encoding import b64url_decode, b64url_encode
from annul.core.sealing import KEK_BYTES, SealingKey

if TYPE_CHECKING:
    from collections.abc import Callable

KEK = SealingKey(b"k" * KEK_BYTES)
OTHER_KEK = SealingKey(b"K" * KEK_BYTES)
HERE: dict[str, Any] = {"kid": "a", "purpose": "token", "version": 3}


def counting() -> Callable[[int], bytes]:
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


def sealed(plaintext: bytes = b"secret", **place: Any) -> str:  # noqa: ANN401 - the fields of a place
    return KEK.seal(plaintext, **(HERE | place), entropy=counting())


def opens(envelope: str, kek: SealingKey = KEK, **place: Any) -> bool:  # noqa: ANN401
    try:
        kek.open(envelope, **(HERE | place))
    except annul.InvalidKey:
        return False
    return True


# --- one envelope ---------------------------------------------------------------------


@settings(deadline=None)
@given(st.binary(max_size=300), st.text(max_size=9), st.text(max_size=9), st.integers(0, 2**63))
def test_what_is_sealed_opens_where_it_was_sealed_for(
    plaintext: bytes, kid: str, purpose: str, version: int
) -> None:
    place: dict[str, Any] = {"kid": kid, "purpose": purpose, "version": version}
    envelope = KEK.seal(plaintext, **place, entropy=counting())

    assert KEK.open(envelope, **place) == plaintext
    assert plaintext not in envelope.encode() or len(plaintext) < 4


@pytest.mark.parametrize(
    "place",
    [
        {"kid": "b"},
        {"kid": ""},
        {"kid": "A"},
        {"purpose": "handle"},
        {"version": 2},
        {"version": 4},
        {"version": 33},
        {"kid": "a5:token", "purpose": ""},
        {"kid": "", "purpose": "atoken"},
        {"kid": "at", "purpose": "oken"},
        {"purpose": "token1:", "version": 3},
    ],
    ids=str,
)
def test_an_envelope_does_not_open_anywhere_else(place: dict[str, Any]) -> None:
    assert opens(sealed())
    assert not opens(sealed(), **place)
    assert not opens(sealed(**place))


def test_an_envelope_does_not_open_with_another_key() -> None:
    assert not opens(sealed(), OTHER_KEK)


def test_a_changed_byte_anywhere_keeps_an_envelope_shut() -> None:
    raw = b64url_decode(sealed())
    for at in range(len(raw)):
        damaged = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        assert not opens(b64url_encode(damaged))


@pytest.mark.parametrize(
    "text", ["", "A", "AAAA", "A" * 16, "A" * 38, "A" * 40, "====", "é", "\ud800"]
)
def test_what_is_no_envelope_does_not_open(text: str) -> None:
    assert not opens(text)


@pytest.mark.parametrize("cut", [1, 12, 16, 28])
def test_a_shortened_or_lengthened_envelope_does_not_open(cut: int) -> None:
    raw = b64url_decode(sealed())

    assert not opens(b64url_encode(raw[:-cut]))
    assert not opens(b64url_encode(raw[cut:]))
    assert not opens(b64url_encode(raw + bytes(cut)))


def test_two_envelopes_of_one_thing_share_nothing() -> None:
    entropy = counting()
    first, second = (KEK.seal(b"secret", **HERE, entropy=entropy) for _ in range(2))
    assert first != second
    assert b64url_decode(first)[12:18] != b64url_decode(second)[12:18]


@pytest.mark.parametrize("material", [b"", b"k" * 16, b"k" * 31, b"k" * 33, "k" * 32, None, 32])
def test_a_key_encryption_key_is_32_bytes(material: Any) -> None:  # noqa: ANN401 - also of wrong types
    with pytest.raises(annul.Misconfigured):
        SealingKey(material)


def test_the_id_of_a_key_encryption_key_tells_keys_apart_and_gives_nothing_away() -> None:
    assert KEK.id == SealingKey(b"k" * KEK_BYTES).id
    assert KEK.id != OTHER_KEK.id
    assert "kkkk" not in repr(KEK)
    assert b"k".hex() * 4 not in KEK.id
