"""Proof that an authority of this lineage wrote an entry, for the day a store has lost it.

A replica may read the log and offer back what the store has lost; it must not be able to revoke. So
an authority puts a MAC beside what it decided, under a key that only the keyring holds. Where the
entry stood and until when it is remembered is not covered, because the store decides that.
"""

from __future__ import annotations

from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.revocation import Kind, Reason, Revocation

__all__ = ["is_proven", "prove"]

_MAC_BYTES = 16


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
    """Return the proof of a decision under a feed key: the key's id and a MAC."""
    name = key_id.encode("ascii")
    return name + hmac_digest(key, _statement(name, draft), "sha256")[:_MAC_BYTES]


def is_proven(entry: Revocation, find_key: Callable[[str], bytes | None]) -> bool:
    """Whether ``entry`` was decided by an authority whose feed key ``find_key`` knows."""
    name, mac = entry.proof[:-_MAC_BYTES], entry.proof[-_MAC_BYTES:]
    key = find_key(name.decode("latin-1"))
    if key is None:
        return False
    return compare_digest(hmac_digest(key, _statement(name, entry), "sha256")[:_MAC_BYTES], mac)


def _statement(key_id: bytes, draft: Decision) -> bytes:
    texts = (draft.issuer, draft.kind, draft.reason, repr(draft.at), draft.id, draft.actor)
    parts = (b"annul entry v1", key_id, draft.tag, draft.fingerprint)
    # Lengths are written out, and what is missing has one of its own, so that no two statements
    # have the same bytes.
    encoded = [None if text is None else text.encode("utf-8") for text in texts]
    return b"".join(
        b"-:" if part is None else b"%d:%s" % (len(part), part) for part in (*parts, *encoded)
    )
