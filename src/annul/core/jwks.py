"""JWKS: the set of public keys that a verifier trusts (RFC 7517 §5). Immutable."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

from annul.core.encoding import EncodingError, parse_object
from annul.core.jwk import PublicKey
from annul.errors import InvalidKey, UnknownKey

__all__ = ["JWKS"]

MAX_BYTES = 1 << 18
MAX_KEYS = 100


class JWKS:
    """A set of public keys, looked up by ``kid``.

    Two keys with one ``kid`` raise ``InvalidKey``: which of them a token meant would be chance.
    ``skipped`` says why members of a document were left out.
    """

    __slots__ = ("_by_kid", "keys", "skipped")

    def __init__(self, keys: Iterable[PublicKey] = (), *, skipped: Iterable[str] = ()) -> None:
        self.keys = tuple(keys)
        if not all(isinstance(key, PublicKey) for key in self.keys):
            raise InvalidKey("a JWKS is made of PublicKeys; JWKS.from_json reads a document")
        self.skipped = tuple(skipped)
        self._by_kid = {key.kid: key for key in self.keys}
        if len(self._by_kid) != len(self.keys):
            raise InvalidKey("two keys of the set have the same kid")

    @classmethod
    def from_json(cls, document: str | bytes | Mapping[str, Any]) -> JWKS:
        """Return the usable keys of a JWK Set, as text or already parsed.

        A member that cannot be used (another kind of key, a weak or damaged one, not for
        signatures) is skipped, so that one bad key does not take the good ones down (RFC 7517 §5).
        Raises ``InvalidKey`` if the document as a whole is not a JWK Set.
        """
        if not isinstance(document, Mapping):
            document = _parse(document)
        members = document.get("keys")
        if not isinstance(members, list):
            raise InvalidKey('a JWK Set is a JSON object with an array "keys"')
        if len(members) > MAX_KEYS:
            raise InvalidKey(f"a JWK Set of more than {MAX_KEYS} keys is not read")
        keys, skipped = [], []
        for number, member in enumerate(members):
            try:
                keys.append(PublicKey.from_jwk(member))
            except InvalidKey as error:
                skipped.append(f"keys[{number}]: {error}")
        return cls(keys, skipped=skipped)

    def to_json(self) -> str:
        """Return the set as a JSON document to publish: public members only."""
        return json.dumps({"keys": [key.to_jwk() for key in self.keys]}, separators=(",", ":"))

    def select(self, kid: str | None) -> PublicKey:
        """Return the one key that a token with this ``kid`` is checked with.

        No other key is ever tried. Without ``kid`` there must be exactly one key to trust. A key
        that came without a name answers to its RFC 7638 thumbprint. Raises ``UnknownKey``.
        """
        if kid is None:
            if len(self.keys) == 1:
                return self.keys[0]
            raise UnknownKey("the token names no key and there is not exactly one to trust")
        key = self._by_kid.get(kid)
        if key is None:
            raise UnknownKey("the token names a key that is not trusted")
        return key

    def get(self, kid: str) -> PublicKey | None:
        """Return the key of that name, ``None`` if the set has none."""
        return self._by_kid.get(kid)

    def without(self, kids: Collection[str]) -> JWKS:
        """Return the set without the keys of these names."""
        return JWKS((key for key in self.keys if key.kid not in kids), skipped=self.skipped)

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[PublicKey]:
        return iter(self.keys)

    def __contains__(self, kid: object) -> bool:
        return kid in self._by_kid

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JWKS) and self._by_kid == other._by_kid

    def __hash__(self) -> int:
        return hash(frozenset(self.keys))

    def __repr__(self) -> str:
        return f"JWKS({', '.join(key.kid for key in self.keys)})"


def _parse(document: object) -> dict[str, Any]:
    if isinstance(document, str):
        try:
            document = document.encode("utf-8")
        except UnicodeEncodeError:
            raise InvalidKey("a JWK Set is UTF-8 text") from None
    if not isinstance(document, bytes):
        raise InvalidKey("a JWK Set is JSON text or a mapping")
    if len(document) > MAX_BYTES:
        raise InvalidKey(f"a JWK Set of more than {MAX_BYTES} bytes is not read")
    try:
        return parse_object(document)
    except EncodingError as error:
        raise InvalidKey(f"this is not a JWK Set: {error}") from None
