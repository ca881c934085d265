"""Snapshots for tests: of a denylist, and with a digest that is right whatever else is wrong."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

from annul.core.base import Base, build_base
from annul.core.denylist import Denylist
from annul.core.revocation import Kind, Watermark
from annul.core.snapshot import Snapshot, decode, encode
from annul.core.steps import in_one_go
from annul.errors import InvalidRequest
from annul.testing import ISSUER
from tests.judging import revocation

if TYPE_CHECKING:
    from collections.abc import Iterable

    from annul.core.revocation import Revocation

__all__ = ["based", "digested", "refused", "restored", "snapshot_of", "written"]

DIGEST_BYTES = 32
HEAD_BYTES = 40


def based(entries: Iterable[Revocation]) -> Base:
    """Return a base of the tokens and sessions among these entries."""
    found = list(entries)
    tokens, sessions = (
        [entry for entry in found if entry.kind is kind] for kind in (Kind.TOKEN, Kind.SESSION)
    )
    return in_one_go(build_base(tokens, sessions, issuer=ISSUER))


def snapshot_of(denylist: Denylist, *watermarks: Watermark, lineage: str = "line") -> Snapshot:
    """Return what a denylist without a base knows."""
    return Snapshot(
        issuer=ISSUER,
        lineage=lineage,
        watermarks=watermarks,
        pruned_by=denylist.pruned_by,
        base=based(denylist),
        others=tuple(denylist.others()),
    )


def written(snapshot: Snapshot) -> bytes:
    """Return a snapshot as bytes."""
    return b"".join(encode(snapshot))


def digested(body: bytes) -> bytes:
    """Return bytes with the digest that they have to end with."""
    return body + blake2b(body, digest_size=DIGEST_BYTES).digest()


def restored(snapshot: Snapshot) -> Denylist:
    """Return a denylist that knows what a snapshot does."""
    denylist = Denylist(snapshot.others)
    denylist.adopt(snapshot.base)
    return denylist


def refused(data: bytes, issuer: str = ISSUER) -> bool:
    """Whether bytes are no snapshot of this issuer that can be used."""
    try:
        decode(data, issuer=issuer)
    except InvalidRequest:
        return True
    return False


NAMED = replace(
    revocation(Kind.BLOCK, "alice", 3), id="alice", actor="Zoë ☂", proof=b"\0proof", at=1.5
)
LIFTED = replace(revocation(Kind.UNBLOCK, "bob", 4), lifts=(b"one", b"two"), issuer="https://b")
SMALL = snapshot_of(
    Denylist(
        [
            NAMED,
            LIFTED,
            revocation(Kind.KEY, "k1", 1),
            replace(revocation(Kind.SUBJECT, "carol", 2), expires_at=900),
            *(replace(revocation(Kind.TOKEN, f"t{n}", 10 + n), expires_at=n) for n in range(40)),
            *(revocation(Kind.SESSION, f"s{n}", 60 + n) for n in range(3)),
        ]
    ),
    Watermark(7, 50, b"tag of the entry"),
    Watermark(7, 2, b""),
)
WHOLE = written(SMALL)
