"""Millions of revoked ids in one buffer: sorted, immutable, 12.5 to 13.5 bytes for each.

::

    firsts    n x 8 bytes        the first 64 bits of each fingerprint, in ascending order
    index     2^bits + 1 x 4     how many of them lie below each value of their top bits
    rests     n x 4 bytes        the other 32 bits
    marks     n x 1 byte         the reason in the high half, the segment of expiry in the low one

A look-up reads two neighbours in the index and bisects the few ids between them. A hit means that
all 96 bits are equal: for a fingerprint that is not in a table of ten million, the chance is below
10⁻²¹ (10⁷ / 2⁹⁶). The ids of a segment are forgotten together, so an expiry costs half a byte
instead of four or eight.

Whatever takes long is a generator that pauses after each small piece of work, so that a process
that is verifying meanwhile can let its other threads run.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections import Counter
from itertools import compress
from struct import Struct, error
from typing import TYPE_CHECKING, NamedTuple

from annul.core.revocation import Reason
from annul.core.segments import MOST_SEGMENTS, Segment, ends_of, plan, rounded, slot_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from annul.core.revocation import Revocation

__all__ = ["EMPTY", "MOST_BITS", "MOST_IDS", "Id", "IdTable", "build", "make_index", "weave"]

MOST_IDS = 1 << 28
"""The most ids in one table."""

MOST_BITS = 26
"""The most bits that a table is indexed by."""

# In the byte order of the machine: memoryview.cast knows no other, and the snapshot says which.
_KEY = Struct("=QI")
_IDS_PER_BUCKET = 3  # as a power of two; 8 to 16 ids, so 0.25 to 0.5 bytes of index for each
_PIECE = 1000

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
    """A sorted table of fingerprints on four buffers, which it never writes to.

    ``segments`` says until when the ids of each segment are remembered, and how many those are;
    ``index`` has one value more than a power of two.
    """

    __slots__ = ("_shift", "bits", "count", "firsts", "index", "marks", "rests", "segments")

    def __init__(
        self,
        firsts: Sequence[int],
        index: Sequence[int],
        rests: Sequence[int],
        marks: Sequence[int],
        segments: Sequence[Segment],
    ) -> None:
        self.firsts = firsts
        self.index = index
        self.rests = rests
        self.marks = marks
        self.segments = tuple(segments)
        self.count = len(firsts)
        self.bits = (len(index) - 1).bit_length() - 1
        self._shift = 64 - self.bits

    def find(self, fingerprint: bytes) -> int:
        """Return the mark of an id, or -1 if it is not here. Takes under a microsecond."""
        try:
            first, rest = _KEY.unpack(fingerprint)
        except error:
            return -1  # whatever it is, it is none of these
        firsts, index = self.firsts, self.index
        bucket = first >> self._shift
        place = bisect_left(firsts, first, index[bucket], index[bucket + 1])
        while place < self.count and firsts[place] == first:
            if self.rests[place] == rest:
                return self.marks[place]
            place += 1
        return -1

    def without(self, now: float) -> IdTable:
        """Return the same table, in which segments that expired before ``now`` are forgotten."""
        segments = [
            each._replace(alive=each.alive and (each.until is None or each.until >= now))
            for each in self.segments
        ]
        return IdTable(self.firsts, self.index, self.rests, self.marks, segments)

    def segment(self, mark: int) -> Segment:
        """Return the segment that a mark names; one that is not known here lasts for ever."""
        slot = mark & 15
        return self.segments[slot] if slot < len(self.segments) else Segment(None)

    def reason(self, mark: int) -> Reason:
        """Return the reason that a mark names; one that is not known here is ``admin``."""
        code = mark >> 4
        return _REASONS[code] if code < len(_REASONS) else Reason.ADMIN

    def __iter__(self) -> Iterator[Id]:
        """Iterate over the ids that are not forgotten, in ascending order."""
        for first, rest, mark in zip(self.firsts, self.rests, self.marks, strict=True):
            segment = self.segment(mark)
            if segment.alive:
                yield Id(_KEY.pack(first, rest), self.reason(mark), segment.until)

    def __len__(self) -> int:
        """Return how many ids are not forgotten."""
        return sum(each.ids for each in self.segments if each.alive)


EMPTY = IdTable(array("Q"), array("I", (0, 0)), array("I"), b"", ())
"""The table without ids."""


def index_bits(count: int) -> int:
    """Return by how many bits a table of ``count`` ids is indexed."""
    return min(MOST_BITS, max(0, count.bit_length() - _IDS_PER_BUCKET - 1))


# --- making one from ids ---------------------------------------------------------------


def build(entries: Sequence[Revocation]) -> Generator[None, None, IdTable]:
    """Make a table of entries in any order; of equal ids, the one remembered longest stays."""
    segments = yield from _segments_for(entries)
    ends = ends_of(segments)
    # Sorting all at once would hold every other thread up, so they are dealt out first. Each is
    # one number, because the garbage collector takes no interest in numbers.
    bits = index_bits(len(entries))
    hands: list[list[int]] = [[] for _ in range(1 << bits)]
    for number, entry in enumerate(entries):
        if number % _PIECE == 0:
            yield
        first, rest = _KEY.unpack(entry.fingerprint)
        slot, code = slot_of(ends, entry.expires_at), _CODES[entry.reason]
        # The longest comes first among equal ids, so slots count down.
        card = first << 40 | rest << 8 | (15 - slot) << 4 | code
        hands[first >> (64 - bits)].append(card)
    firsts, rests, index = array("Q"), array("I"), array("I", (0,))
    marks = bytearray()
    for number, hand in enumerate(hands):
        if number % (_PIECE >> _IDS_PER_BUCKET) == 0:
            yield
        hand.sort()
        last = -1
        for card in hand:
            if card >> 8 != last:
                last = card >> 8
                firsts.append(card >> 40)
                rests.append(last & 0xFFFF_FFFF)
                marks.append(card << 4 & 0xF0 | 15 - (card >> 4 & 15))
        index.append(len(firsts))
    return IdTable(firsts, index, rests, bytes(marks), _counted(segments, bytes(marks)))


def _segments_for(
    entries: Sequence[Revocation],
) -> Generator[None, None, tuple[Segment, ...]]:
    origin = sys.maxsize
    for start in range(0, len(entries), _PIECE):
        piece = entries[start : start + _PIECE]
        ends = (each.expires_at for each in piece if each.expires_at is not None)
        origin = min(origin, min(ends, default=origin))
        yield
    wanted: Counter[int | None] = Counter()
    for start in range(0, len(entries), _PIECE):
        piece = entries[start : start + _PIECE]
        wanted.update(rounded(each.expires_at, origin) for each in piece)
        yield
    return plan(wanted.items())


# --- making one from two ---------------------------------------------------------------


def weave(old: IdTable, new: IdTable) -> Generator[None, None, IdTable]:
    """Make the table of both, without the ids that either has forgotten.

    It pauses as often as the new ids are many. With ten million old ones each step takes long, and
    all of it some seconds, so that is for a process of its own.
    """
    both = (*old.segments, *new.segments)
    segments = plan((each.until, each.ids) for each in both if each.alive)
    kept, added = _renamed(old, segments), _renamed(new, segments)
    places, skips = array("I"), bytearray()
    marks = bytearray(added.marks)
    for number, (first, rest) in enumerate(zip(added.firsts, added.rests, strict=True)):
        if number % _PIECE == 0:
            yield
        place = _place(kept, first, rest)
        known = place < kept.count and (kept.firsts[place], kept.rests[place]) == (first, rest)
        if known and kept.marks[place] & 15 > marks[number] & 15:
            marks[number] = kept.marks[place]
        places.append(place)
        skips.append(known)
    firsts = memoryview((yield from _woven(kept.firsts, added.firsts, places, skips))).cast("Q")
    rests = memoryview((yield from _woven(kept.rests, added.rests, places, skips))).cast("I")
    woven = bytes((yield from _woven(kept.marks, marks, places, skips)))
    index = yield from make_index(firsts)
    return IdTable(firsts, index, rests, woven, _counted(segments, woven))


def _renamed(table: IdTable, segments: Sequence[Segment]) -> IdTable:
    """Return a table whose marks name ``segments``, without the ids that it has forgotten.

    It has no index.
    """
    ends = ends_of(segments)
    known = [table.segment(mark) for mark in range(MOST_SEGMENTS)]
    slots = [slot_of(ends, each.until) if each.alive else MOST_SEGMENTS for each in known]
    keep = bytes(slots[mark & 15] < MOST_SEGMENTS for mark in range(256))
    names = bytes(mark & 0xF0 | min(slots[mark & 15], 15) for mark in range(256))
    marks = bytes(table.marks)
    kept, none = marks.translate(keep), array("I", (0, 0))
    if 0 not in kept:
        return IdTable(table.firsts, none, table.rests, marks.translate(names), segments)
    firsts = array("Q", compress(table.firsts, kept))
    rests = array("I", compress(table.rests, kept))
    return IdTable(firsts, none, rests, bytes(compress(marks, kept)).translate(names), segments)


def _place(table: IdTable, first: int, rest: int) -> int:
    place = bisect_left(table.firsts, first)
    while place < table.count and (table.firsts[place], table.rests[place]) < (first, rest):
        place += 1
    return place


def _woven(
    column: Sequence[int], values: Sequence[int], places: Sequence[int], skips: Sequence[int]
) -> Generator[None, None, bytearray]:
    """Return a column as bytes, with each value put in its place (instead of its like)."""
    whole = memoryview(column)  # type: ignore[arg-type]  # all of them are buffers
    width, source = whole.itemsize, whole.cast("B")
    woven = bytearray()
    last = 0
    for number, (place, skip, value) in enumerate(zip(places, skips, values, strict=True)):
        if number % _PIECE == 0:
            yield
        woven += source[last * width : place * width]
        woven += value.to_bytes(width, sys.byteorder)
        last = place + skip
    woven += source[last * width :]
    return woven


def _counted(segments: Sequence[Segment], marks: bytes) -> list[Segment]:
    slots = marks.translate(bytes(mark & 15 for mark in range(256)))
    return [segment._replace(ids=slots.count(n)) for n, segment in enumerate(segments)]


def make_index(firsts: Sequence[int]) -> Generator[None, None, array[int]]:
    """Make the index of a column of firsts."""
    count = len(firsts)
    bits = index_bits(count)
    index, place = array("I", (0,)), 0
    for bucket in range(1, 1 << bits):
        if bucket % _PIECE == 0:
            yield
        edge = bucket << (64 - bits)
        # Ids are spread evenly, so the next edge is near; if it is not, look further.
        near = min(place + (4 << _IDS_PER_BUCKET), count)
        place = bisect_left(firsts, edge, place, near)
        if place == near:
            place = bisect_left(firsts, edge, place, count)
        index.append(place)
    index.append(count)
    return index
