"""Proof that an authority of this lineage wrote an entry, for the day a store has lost it.

A replica may read the log and offer back what the store has lost; it must not be able to revoke. So
an authority puts a MAC beside what it decided, under a key that only the keyring holds. Where the
entry stood and until when it is remembered is not covered, because the store decides that.
"""

from __future__ import annotations

from hmac import compare_digest
from hmac import digest as hmac_digest
from struct import Struct
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.revocation import Kind, Reason, Revocation

__all__ = ["is_proven", "prove", "proven_at"]

_MAC_BYTES = 16
_TIME = Struct(">d")


class Decision(Protocol):
    """**Protocol:** what a proof is about, in the log or on its way there."""

    @property
    def tag(self) -> bytes: ...
    @property
    def issuer(self) -> str: ...
    @property
    def kind(self) -> Kind: ...
    @property
    def fingerprint(self) -> bytes: ...
    @property
    def reason(self) -> Reason: ...
    @property
    def at(self) -> float: ...
    @property
    def id(self) -> str | None: ...
    @property
    def actor(self) -> str | None: ...


def prove(draft: Decision, key_id: str, key: bytes) -> bytes:
    """Return the proof of a decision under a feed key: the key's id, the time, and a MAC."""
    name, at = key_id.encode("ascii"), _TIME.pack(draft.at)
    return name + at + hmac_digest(key, _statement(name, at, draft), "sha256")[:_MAC_BYTES]


def is_proven(entry: Revocation, find_key: Callable[[str], bytes | None]) -> bool:
    """Whether ``entry`` was decided by an authority whose feed key ``find_key`` knows."""
    if len(entry.proof) < _TIME.size + _MAC_BYTES:
        return False
    rest, mac = entry.proof[:-_MAC_BYTES], entry.proof[-_MAC_BYTES:]
    name, at = rest[: -_TIME.size], rest[-_TIME.size :]
    key = find_key(name.decode("latin-1"))
    # Joining entries makes their time later, never earlier.
    if key is None or not _TIME.unpack(at)[0] <= entry.at:
        return False
    return compare_digest(hmac_digest(key, _statement(name, at, entry), "sha256")[:_MAC_BYTES], mac)


def proven_at(entry: Revocation) -> float:
    """Return when an entry was decided that ``is_proven``; joined with another it says later."""
    start = len(entry.proof) - _MAC_BYTES - _TIME.size
    decided: float = _TIME.unpack_from(entry.proof, start)[0]
    return decided


def _statement(key_id: bytes, at: bytes, draft: Decision) -> bytes:
    texts = (draft.issuer, draft.kind, draft.reason, draft.id, draft.actor)
    parts = (b"annul entry v1", key_id, at, draft.tag, draft.fingerprint)
    # Lengths are written out, and what is missing has one of its own, so that no two statements
    # have the same bytes.
    encoded = [None if text is None else text.encode("utf-8") for text in texts]
    return b"".join(
        b"-:" if part is None else b"%d:%s" % (len(part), part) for part in (*parts, *encoded)
    )
