"""Logs of revocations, and what is asked about them, drawn from few values so that they meet."""

from __future__ import annotations

from hypothesis import strategies as st

from annul.core.denylist import Facts
from annul.core.revocation import Kind, Position, Reason, Revocation
from annul.testing import ISSUER

__all__ = ["KEPT_FOR_EVER", "facts", "logs", "one_tag_one_block"]

KEPT_FOR_EVER = frozenset({Kind.KEY, Kind.BLOCK, Kind.UNBLOCK})

marks = st.sampled_from([bytes([n]) * 12 for n in range(3)])
tags = st.sampled_from([bytes([n]) * 16 for n in range(5)])
positions = st.builds(Position, st.integers(1, 2), st.integers(0, 4))


@st.composite
def entries(draw: st.DrawFn) -> Revocation:
    kind = draw(st.sampled_from(list(Kind)))
    # A real log has one entry per position and tag; collisions here test the tie-break too.
    return Revocation(
        position=draw(positions),
        tag=draw(tags),
        issuer=ISSUER,
        kind=kind,
        fingerprint=draw(marks),
        reason=draw(st.sampled_from([Reason.ADMIN, Reason.LOGOUT])),
        at=draw(st.integers(0, 3)),
        expires_at=None if kind in KEPT_FOR_EVER else draw(st.integers(0, 3)),
        lifts=tuple(draw(st.lists(tags, max_size=2))) if kind is Kind.UNBLOCK else (),
    )


def one_tag_one_block(found: list[Revocation]) -> list[Revocation]:
    """A tag names one entry: two blocks or unblocks with one tag are the same entry."""
    seen: dict[tuple[Kind, bytes], Revocation] = {}
    return [
        seen.setdefault((entry.kind, entry.tag), entry)
        if entry.kind in {Kind.BLOCK, Kind.UNBLOCK}
        else entry
        for entry in found
    ]


logs = st.lists(entries(), max_size=12).map(one_tag_one_block)

facts = st.builds(
    Facts,
    token=st.none() | marks,
    session=st.none() | marks,
    subject=st.none() | marks,
    client=st.none() | marks,
    issuer=marks,
    key=st.none() | marks,
    since=st.none() | positions,
    began_at=st.none() | st.floats(0, 4),
)
