"""A keyring as text: private keys sealed, the public set beside them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from annul.core.encoding import EncodingError, parse_object
from annul.core.jwk import PrivateKey
from annul.core.keyring import Keyring, Purpose, RingKey
from annul.errors import InvalidKey, WrongStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.sealing import SealingKey

__all__ = ["pack", "sealed_with", "unpack"]

_FORMAT = 1
_NONE = type(None)
_TIMES = ("created_at", "activates_at", "retires_at", "gone_at")


def pack(ring: Keyring, sealing: SealingKey, entropy: Callable[[int], bytes]) -> str:
    """Return the ring as JSON with every private key sealed for this very ring version."""
    keys: list[dict[str, Any]] = []
    for key in ring.keys:
        material = key.material
        plaintext = material.to_pem() if isinstance(material, PrivateKey) else material
        sealed = sealing.seal(
            plaintext, kid=key.kid, purpose=key.purpose, version=ring.version, entropy=entropy
        )
        times = {name: getattr(key, name) for name in _TIMES}
        keys.append(
            {"kid": key.kid, "purpose": key.purpose, "alg": key.alg, "sealed": sealed} | times
        )
    return json.dumps(
        {
            "format": _FORMAT,
            "kek": sealing.id,
            "version": ring.version,
            "keys": keys,
            "revoked": sorted(ring.revoked),
        }
    )


def sealed_with(text: str) -> str:
    """Return the id of the key-encryption key that a stored ring was sealed with."""
    return str(_read(text)["kek"])


def unpack(text: str, sealing: SealingKey) -> Keyring:
    """Return the ring that ``pack`` wrote.

    Raises ``InvalidKey`` if it was sealed with another key or tampered with, and ``WrongStore`` if
    it is not a ring, or one that a newer annul wrote.
    """
    document = _read(text)
    if document["kek"] != sealing.id:
        raise InvalidKey(
            f"the keys in this store are sealed with the key-encryption key {document['kek']},"
            f" and the one given is {sealing.id}"
        )
    version = document["version"]
    keys = []
    for item in document["keys"]:
        purpose = Purpose(item["purpose"])
        raw = sealing.open(item["sealed"], kid=item["kid"], purpose=purpose, version=version)
        material = PrivateKey.from_pem(raw, alg=item["alg"]) if purpose is Purpose.TOKEN else raw
        keys.append(
            RingKey(item["kid"], purpose, item["alg"], material, *(item[name] for name in _TIMES))
        )
    return Keyring(version, tuple(keys), frozenset(document["revoked"]))


def _read(text: str) -> dict[str, Any]:
    try:
        document = parse_object(text.encode("utf-8"))
    except (EncodingError, UnicodeEncodeError):
        document = {}
    if document.get("format") != _FORMAT or not _is_whole(document):
        raise WrongStore("the keyring in this store is damaged, or made by a newer annul")
    return document


def _is_whole(document: dict[str, Any]) -> bool:
    keys, revoked = document.get("keys"), document.get("revoked")
    return (
        isinstance(document.get("kek"), str)
        and type(document.get("version")) is int
        and isinstance(revoked, list)
        and all(isinstance(kid, str) for kid in revoked)
        and isinstance(keys, list)
        and all(isinstance(key, dict) and _is_whole_key(key) for key in keys)
    )


def _is_whole_key(key: dict[str, Any]) -> bool:
    return (
        all(isinstance(key.get(name), str) for name in ("kid", "alg", "sealed"))
        and key.get("purpose") in list(Purpose)
        and all(type(key.get(name)) in {int, float} for name in _TIMES[:2])
        and all(name in key and type(key[name]) in {int, float, _NONE} for name in _TIMES[2:])
    )
