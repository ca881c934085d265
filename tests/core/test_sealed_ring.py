"""A keyring at rest: only as a whole, only with its own key, and never an older one."""

from __future__ import annotations

import json
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

import annul
from annul.core.encoding import b64url_encode
from annul.core.keyring import Keyring, Purpose
from annul.core.sealed_ring import pack, sealed_with, unpack
from annul.core.sealing import KEK_BYTES, SealingKey
from tests.core.sample_keys import private_key

if TYPE_CHECKING:
    from collections.abc import Callable

KEK = SealingKey(b"k" * KEK_BYTES)
OTHER_KEK = SealingKey(b"K" * KEK_BYTES)


def counting() -> Callable[[int], bytes]:
    numbers = count(1)
    return lambda size: next(numbers).to_bytes(size, "big")


@cache
def ring() -> Keyring:
    entropy = counting()
    made = Keyring().add_secret(Purpose.HANDLE, now=1000.0, needed_for=3600.0, entropy=entropy)
    for alg in ("ES256", "PS256", "Ed25519"):
        made = made.add(private_key(alg), now=1000.0, publish_for=300.0, longest_token=900.0)
    return made.revoke("revoked-1", now=1000.0).revoke("revoked-0", now=1000.0)


@cache
def packed() -> str:
    return pack(ring(), KEK, counting())


def document() -> dict[str, Any]:
    return dict(json.loads(packed()))


def test_a_ring_is_packed_and_unpacked_as_itself() -> None:
    again = unpack(packed(), KEK)

    assert again.version == ring().version
    assert again.revoked == {"revoked-0", "revoked-1"}
    for mine, theirs in zip(ring().keys, again.keys, strict=True):
        for name in (
            "kid",
            "purpose",
            "alg",
            "created_at",
            "activates_at",
            "retires_at",
            "gone_at",
        ):
            assert getattr(mine, name) == getattr(theirs, name)
    assert again.jwks(1000.0) == ring().jwks(1000.0)
    assert again.secret(Purpose.HANDLE, 1000.0) == ring().secret(Purpose.HANDLE, 1000.0)
    token_key = again.signing_key(1000.0)
    token_key.public.check(token_key.alg)(token_key.sign(b"data"), b"data")


def test_an_empty_ring_is_packed_and_unpacked_too() -> None:
    assert unpack(pack(Keyring(), KEK, counting()), KEK) == Keyring()


def test_no_secret_is_readable_in_a_packed_ring() -> None:
    assert "PRIVATE" not in packed()
    assert private_key("ES256").to_jwk()["d"] not in packed()
    _, secret = ring().secret(Purpose.HANDLE, 1000.0)
    assert b64url_encode(secret) not in packed()
    assert secret.hex() not in packed()


def test_a_ring_says_which_key_it_was_sealed_with() -> None:
    assert sealed_with(packed()) == KEK.id


def test_a_ring_does_not_open_with_another_key() -> None:
    with pytest.raises(annul.InvalidKey):
        unpack(packed(), OTHER_KEK)
    with pytest.raises(annul.InvalidKey):
        unpack(json.dumps(document() | {"kek": OTHER_KEK.id}), OTHER_KEK)
    # Nor one in which there is no envelope to try it on.
    with pytest.raises(annul.InvalidKey):
        unpack(pack(Keyring(), KEK, counting()), OTHER_KEK)


def test_an_older_envelope_cannot_be_put_into_a_newer_ring() -> None:
    newer = json.loads(pack(ring().as_version(99), KEK, counting()))
    newer["keys"][1]["sealed"] = document()["keys"][1]["sealed"]
    for text in (json.dumps(newer), json.dumps(document() | {"version": 99})):
        with pytest.raises(annul.InvalidKey):
            unpack(text, KEK)


def test_envelopes_cannot_be_swapped_between_keys() -> None:
    changed = document()
    keys = changed["keys"]
    keys[1]["sealed"], keys[2]["sealed"] = keys[2]["sealed"], keys[1]["sealed"]
    with pytest.raises(annul.InvalidKey):
        unpack(json.dumps(changed), KEK)


@pytest.mark.parametrize(
    ("number", "changes"),
    [
        (1, {"kid": "another"}),
        (0, {"kid": "another"}),
        (1, {"purpose": "handle"}),
        (0, {"purpose": "token"}),
        (1, {"alg": "ES384"}),
        (1, {"alg": "HS256"}),
        (1, {"sealed": ""}),
        (1, {"sealed": "AAAA"}),
    ],
    ids=str,
)
def test_a_key_cannot_be_passed_off_as_another(number: int, changes: dict[str, str]) -> None:
    changed = document()
    changed["keys"][number] |= changes
    with pytest.raises(annul.InvalidKey):
        unpack(json.dumps(changed), KEK)


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "{}", "x", '{"format":2}', '{"format":0}', '{"format":"1"}', '{"keys":[]}'],
)
def test_what_is_no_ring_or_one_of_a_newer_annul_is_refused(text: str) -> None:
    with pytest.raises(annul.WrongStore):
        unpack(text, KEK)
    with pytest.raises(annul.WrongStore):
        sealed_with(text)


@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_ring_that_was_cut_short_is_refused(part: float) -> None:
    with pytest.raises(annul.WrongStore):
        unpack(packed()[: int(len(packed()) * part)], KEK)


def test_a_ring_of_a_newer_annul_is_refused_even_if_the_rest_is_in_order() -> None:
    with pytest.raises(annul.WrongStore):
        unpack(json.dumps(document() | {"format": 2}), KEK)
