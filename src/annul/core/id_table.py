"""Millions of revoked ids in one buffer: sorted, immutable, 13.5 to 14 bytes for each.

::

    index      2^bits + 1 x 4    where the records of each value of their top bits begin, in bytes
    records    n x 13            the 96 bits of a fingerprint and its mark, in ascending order

A look-up reads two neighbours in the index and searches the few records between them. Those lie
side by side, because with millions of ids most of the time goes into waiting for memory. A hit
means that all 96 bits are equal: for a fingerprint that is not in a table of ten million, the
chance is below 10⁻²¹ (10⁷ / 2⁹⁶).

A mark is a byte: the segment of expiry in the high half, the reason in the low one. The ids of a
segment are forgotten together, so an expiry costs half a byte instead of four or eight.
``annul.core.id_weaving`` makes tables.
"""

from __future__ import annotations

from array import array
from struct import Struct, error
from typing import TYPE_CHECKING, NamedTuple

from annul.core.revocation import FINGERPRINT_BYTES, Reason
from annul.core.segments import Segment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from mmap import mmap

    Memory = bytes | bytearray | mmap

__all__ = ["EMPTY", "MOST_BITS", "MOST_IDS", "RECORD_BYTES", "Id", "IdTable", "mark_of", "top_of"]

MOST_IDS = 1 << 28
"""The most ids in one table."""

MOST_BITS = 26
"""The most bits that a table is indexed by."""

RECORD_BYTES = FINGERPRINT_BYTES + 1
"""A fingerprint and its mark."""

_top = Struct(f">I{FINGERPRINT_BYTES - 4}x").unpack
_TOP_BITS = 32

# The place in this tuple goes into files: add at the end, and never more than sixteen.
_REASONS = (
    Reason.LOGOUT,
    Reason.USER_DISABLED,
    Reason.PASSWORD_CHANGED,
    Reason.TOKEN_THEFT,
    Reason.REFRESH_REUSE,
    Reason.SESSION_HIJACK,
    Reason.KEY_COMPROMISE,
    Reason.CLIENT_COMPROMISE,
    Reason.ADMIN,
    Reason.SUPERSEDED,
)
_CODES = {reason: code for code, reason in enumerate(_REASONS)}


class Id(NamedTuple):
    """One revoked id as a table keeps it. ``until`` is ``None`` if it is kept for ever."""

    fingerprint: bytes
    reason: Reason
    until: int | None


class IdTable:
    """A sorted table of fingerprints, which are looked up where they lie.

    ``records`` holds ``count`` of them from byte ``start`` on, and must never change; ``index`` has
    one value more than a power of two. ``segments`` says until when the ids of each segment are
    remembered, and how many those are.
    """

    __slots__ = ("_shift", "bits", "count", "index", "records", "segments", "start")

    def __init__(
        self,
        records: Memory,
        index: Sequence[int],
        segments: Sequence[Segment],
        *,
        start: int = 0,
        count: int | None = None,
    ) -> None:
        self.records = records
        self.index = index
        self.segments = tuple(segments)
        self.start = start
        self.count = (len(records) - start) // RECORD_BYTES if count is None else count
        self.bits = (len(index) - 1).bit_length() - 1
        self._shift = _TOP_BITS - self.bits

    def find(self, fingerprint: bytes) -> int:
        """Return the mark of an id, or -1 if it is not here. Takes under a microsecond."""
        try:
            (top,) = _top(fingerprint)
        except error:
            return -1  # whatever it is, it is none of these
        records, index = self.records, self.index
        bucket = top >> self._shift
        start = self.start
        first, last = start + index[bucket], start + index[bucket + 1]
        at = records.find(fingerprint, first, last)
        # The end of one record and the beginning of the next may look like it.
        while at >= 0 and (at - first) % RECORD_BYTES:
            at = records.find(fingerprint, at + 1, last)
        return -1 if at < 0 else records[at + FINGERPRINT_BYTES]

    def fingerprint(self, place: int) -> bytes:
        """Return the fingerprint at this place in the order."""
        at = self.start + place * RECORD_BYTES
        return bytes(self.records[at : at + FINGERPRINT_BYTES])

    def marks(self) -> bytes:
        """Return the marks of all, in order."""
        first = self.start + FINGERPRINT_BYTES
        return bytes(self.records[first : self.start + self.count * RECORD_BYTES : RECORD_BYTES])

    def without(self, now: float) -> IdTable:
        """Return the same table, in which segments that expired before ``now`` are forgotten."""
        segments = [
            each._replace(alive=each.alive and (each.until is None or each.until >= now))
            for each in self.segments
        ]
        return IdTable(self.records, self.index, segments, start=self.start, count=self.count)

    def segment(self, mark: int) -> Segment:
        """Return the segment that a mark names; one that is not known here lasts for ever."""
        slot = mark >> 4
        return self.segments[slot] if slot < len(self.segments) else Segment(None)

    def reason(self, mark: int) -> Reason:
        """Return the reason that a mark names; one that is not known here is ``admin``."""
        code = mark & 15
        return _REASONS[code] if code < len(_REASONS) else Reason.ADMIN

    def __iter__(self) -> Iterator[Id]:
        """Iterate over the ids that are not forgotten, in ascending order."""
        for place, mark in enumerate(self.marks()):
            segment = self.segment(mark)
            if segment.alive:
                yield Id(self.fingerprint(place), self.reason(mark), segment.until)

    def __len__(self) -> int:
        """Return how many ids are not forgotten."""
        return sum(each.ids for each in self.segments if each.alive)


EMPTY = IdTable(b"", array("I", (0, 0)), ())
"""The table without ids."""


def top_of(fingerprint: bytes, bits: int) -> int:
    """Return the top bits of a fingerprint, by which it is found in an index of so many."""
    (top,) = _top(fingerprint)
    return int(top) >> (_TOP_BITS - bits)


def mark_of(slot: int, reason: Reason) -> int:
    """Return the mark of an id in this segment. Of two, the one remembered longer is greater."""
    return slot << 4 | _CODES[reason]
