"""Refresh tokens: opaque, authenticated handles ``v1.keyid.family.generation.tag``.

``family`` is 128 random bits that appear nowhere else: the store keeps only their SHA-256.
``tag`` is an HMAC over everything before it. So garbage never reaches a store, neither the
database nor the handle key alone yields a usable token, and the successor of a token can be
computed again when its first response was lost.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING

from annul.core.encoding import b64url_encode
from annul.errors import InvalidGrant

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HANDLE_PREFIX", "Handle", "looks_like_handle", "mint", "read"]

HANDLE_PREFIX = "v1."
FAMILY_BYTES = 16
_MAX_LENGTH = 160
_SHAPE = re.compile(
    r"v1\.(?P<key>[A-Za-z0-9_-]{1,32})\.(?P<family>[A-Za-z0-9_-]{22})"
    r"\.(?P<generation>0|[1-9][0-9]{0,14})\.(?P<tag>[A-Za-z0-9_-]{43})"
)


@dataclass(frozen=True, slots=True)
class Handle:
    """A refresh token that has been authenticated, taken apart."""

    key_id: str
    family: str = field(repr=False)
    generation: int

    @property
    def digest(self) -> bytes:
        """What the store knows the family by."""
        return family_digest(self.family)


def new_family(entropy: Callable[[int], bytes]) -> str:
    """Return a fresh family: 128 bits from ``entropy``."""
    return b64url_encode(entropy(FAMILY_BYTES))


def family_digest(family: str) -> bytes:
    """Return the SHA-256 that the store keeps instead of the family."""
    return sha256(family.encode("ascii")).digest()


def mint(key_id: str, key: bytes, family: str, generation: int) -> str:
    """Return the refresh token of one generation. The same arguments give the same token."""
    body = f"{HANDLE_PREFIX}{key_id}.{family}.{generation}"
    return f"{body}.{_tag(key, body)}"


def looks_like_handle(token: object) -> bool:
    """Whether ``token`` has the prefix of a refresh token. It says nothing about its standing."""
    return as_plain(token).startswith(HANDLE_PREFIX)


def read(token: object, find_key: Callable[[str], bytes | None]) -> Handle:
    """Return the parts of a genuine refresh token.

    ``find_key`` gives the handle key for a key id, ``None`` if there is none. Anything that this
    authority did not mint raises ``InvalidGrant``, whatever is wrong with it, before any store is
    asked.
    """
    text = as_plain(token)
    if len(text) <= _MAX_LENGTH:
        match = _SHAPE.fullmatch(text)
        if match is not None:
            key = find_key(match["key"])
            body = text[: match.start("tag") - 1]
            if key is not None and compare_digest(_tag(key, body), match["tag"]):
                return Handle(match["key"], match["family"], int(match["generation"]))
    raise InvalidGrant("this is not a refresh token of ours")


def as_plain(token: object) -> str:
    """Return ``token`` as plain ``str``, empty for anything else.

    By its real type: a proxy only claims to be a ``str``, and fails where one is needed.
    """
    return str.__str__(token) if issubclass(type(token), str) else ""


def _tag(key: bytes, body: str) -> str:
    return b64url_encode(hmac_digest(key, body.encode("ascii"), "sha256"))
