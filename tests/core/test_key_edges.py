"""What the tests of core keys found: each of these fails until the source is mended."""

from __future__ import annotations

import json
from typing import Any

import pytest

import annul
from annul.core.encoding import b64url_encode
from annul.core.keyring import Keyring
from annul.core.sealed_ring import pack, sealed_with, unpack
from annul.core.sealing import KEK_BYTES, SealingKey
from tests.core.openssl import needs_openssl, openssl
from tests.core.sample_keys import private_key, rsa_key

KEK = SealingKey(b"k" * KEK_BYTES)


# --- A: RSASSA-PSS keys (RFC 4055 §1.2) -------------------------------------------------


@needs_openssl
def test_a_key_that_is_for_pss_only_never_signs_or_verifies_with_another_padding() -> None:
    pem = openssl("genpkey", "-algorithm", "RSA-PSS")
    public = openssl("pkey", "-pubout", stdin=pem)
    for read, text in ((annul.PrivateKey.from_pem, pem), (annul.PublicKey.from_pem, public)):
        for edited in (text, text.replace(b"\n", b"\r\n"), b"a word before\n" + text):
            with pytest.raises(annul.InvalidKey):
                read(edited)


# --- B: a damaged ring in the store -----------------------------------------------------


def document() -> dict[str, Any]:
    ring = Keyring().add(private_key("ES256"), now=0, publish_for=0, longest_token=900)
    return dict(json.loads(pack(ring, KEK, lambda size: bytes([7]) * size)))


ODD: tuple[object, ...] = (None, True, 1.5, [1], {})


def damaged() -> list[str]:
    texts = ["\ud800"]
    for name in ("kek", "version", "keys", "revoked"):
        texts.append(json.dumps({other: v for other, v in document().items() if other != name}))
        texts.extend(json.dumps(document() | {name: odd}) for odd in ODD)
    for name in document()["keys"][0]:
        for value in (*ODD, "x", 1e308):
            if value is None and name in {"retires_at", "gone_at"}:
                continue
            if isinstance(value, float) and name.endswith("_at"):
                continue
            changed = document()
            changed["keys"][0][name] = value
            texts.append(json.dumps(changed))
        changed = document()
        del changed["keys"][0][name]
        texts.append(json.dumps(changed))
    return texts


@pytest.mark.parametrize("text", damaged())
def test_a_damaged_ring_is_an_error_of_annul(text: str) -> None:
    with pytest.raises((annul.WrongStore, annul.InvalidKey)):
        unpack(text, KEK)


@pytest.mark.parametrize("text", ['{"format":1}', '{"format":1,"kek":5}', "\ud800"])
def test_a_damaged_ring_does_not_say_what_it_was_sealed_with(text: str) -> None:
    with pytest.raises(annul.WrongStore):
        sealed_with(text)


# --- C: the constructors take any object ------------------------------------------------


@pytest.mark.parametrize("alg", ["ES256", "Ed25519", "RS256"])
def test_a_private_object_is_no_public_key_and_the_other_way_round(alg: str) -> None:
    private = private_key(alg)._key
    for kind, wrong in (
        (annul.PublicKey, private),
        (annul.PrivateKey, private.public_key()),
    ):
        with pytest.raises(annul.InvalidKey):
            kind(wrong)


# --- D: private members that are not of the public key ----------------------------------


@pytest.mark.parametrize("value", [1, None, "AA", "AAAA"])
def test_a_private_exponent_alone_must_be_one_too(value: object) -> None:
    # "Private members are not kept, but must be those of the same key."
    numbers = rsa_key().public_key().public_numbers()
    n = b64url_encode(numbers.n.to_bytes(256, "big"))
    with pytest.raises(annul.InvalidKey):
        annul.PublicKey.from_jwk({"kty": "RSA", "n": n, "e": "AQAB", "d": value})
