"""Making tables of revoked ids (``annul.core.id_table``): of entries, or of two tables.

Whatever takes long is a generator that pauses after each small piece of work, so that a process
that is verifying meanwhile can let its other threads run.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_left
from collections import Counter
from itertools import chain, compress, pairwise
from struct import Struct
from typing import TYPE_CHECKING

from annul.core.id_table import MOST_BITS, RECORD_BYTES, IdTable, mark_of, top_of
from annul.core.revocation import FINGERPRINT_BYTES
from annul.core.segments import MOST_SEGMENTS, Segment, ends_of, plan, rounded, slot_of

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from annul.core.id_table import Memory
    from annul.core.revocation import Revocation

__all__ = ["build", "make_index", "weave"]

_RECORD = Struct(f"{RECORD_BYTES}s")
_IDS_PER_BUCKET = 2  # as a power of two; 4 to 8 ids, so 0.5 to 1 bytes of index for each
_IDS_PER_HAND = 9  # the same; 256 to 512
_PIECE = 500
_MANY = 100_000


def index_bits(count: int) -> int:
    """Return by how many bits a table of ``count`` ids is indexed."""
    return min(MOST_BITS, max(0, count.bit_length() - _IDS_PER_BUCKET - 1))


# --- from entries ----------------------------------------------------------------------


def build(entries: Sequence[Revocation]) -> Generator[None, None, IdTable]:
    """Make a table of entries in any order; of equal ids, the one remembered longest stays."""
    segments = yield from _segments_for(entries)
    ends = ends_of(segments)
    # Sorting all at once would hold every other thread up, so they are dealt out first. Each is
    # a string of bytes, because the garbage collector takes no interest in those.
    bits = max(0, len(entries).bit_length() - _IDS_PER_HAND)
    hands: list[list[bytes]] = [[] for _ in range(1 << bits)]
    for number, entry in enumerate(entries):
        if number % _PIECE == 0:
            yield
        mark = mark_of(slot_of(ends, entry.expires_at), entry.reason)
        hands[top_of(entry.fingerprint, bits)].append(entry.fingerprint + bytes((mark,)))
    records = bytearray()
    for hand in hands:
        yield
        hand.sort()
        for record, following in pairwise((*hand, b"")):
            # The longest comes last among equal ids.
            if not following.startswith(record[:FINGERPRINT_BYTES]):
                records += record
        hand.clear()
    index = yield from make_index(records)
    return IdTable(records, index, _counted(segments, records))


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


# --- from two tables -------------------------------------------------------------------


def weave(old: IdTable, new: IdTable) -> Generator[None, None, IdTable]:
    """Make the table of both, without the ids that either has forgotten.

    It pauses as often as the new ids are many. With ten million old ones each step takes long, and
    all of it some seconds, so that is for a process of its own.
    """
    both = (*old.segments, *new.segments)
    segments = plan((each.until, each.ids) for each in both if each.alive)
    kept, added = (yield from _living(old)), (yield from _living(new))
    names, other_names = _names(old, segments), _names(new, segments)
    source, woven = memoryview(kept.records)[kept.start :], bytearray()
    places, marks = array("Q"), bytearray()
    last = 0
    for number, mark in enumerate(added.marks()):
        if number % _PIECE == 0:
            yield
        fingerprint, name = added.fingerprint(number), other_names[mark]
        place = _place(kept, fingerprint)
        woven += source[last * RECORD_BYTES : place * RECORD_BYTES]
        last = place
        if place < kept.count and kept.fingerprint(place) == fingerprint:
            known = source[place * RECORD_BYTES + FINGERPRINT_BYTES]
            name = max(name, names[known])
            last += 1
        woven += fingerprint
        places.append(len(woven))
        marks.append(name)
        woven.append(0)
    woven += source[last * RECORD_BYTES : kept.count * RECORD_BYTES]
    named = woven[FINGERPRINT_BYTES::RECORD_BYTES].translate(names)
    woven[FINGERPRINT_BYTES::RECORD_BYTES] = named
    for number, (at, name) in enumerate(zip(places, marks, strict=True)):
        if number % _PIECE == 0:
            yield
        woven[at] = name
    index = yield from make_index(woven)
    return IdTable(woven, index, _counted(segments, woven))


def _names(table: IdTable, segments: Sequence[Segment]) -> bytes:
    """Return what the marks of a table are called when its ids belong to these ``segments``."""
    ends = ends_of(segments)
    return bytes(
        min(slot_of(ends, table.segment(mark).until), MOST_SEGMENTS - 1) << 4 | mark & 15
        for mark in range(256)
    )


def _living(table: IdTable) -> Generator[None, None, IdTable]:
    """Return a table without the ids that it has forgotten."""
    keep = table.marks().translate(bytes(table.segment(mark).alive for mark in range(256)))
    if 0 not in keep:
        return table
    records = bytearray()
    for first in range(0, table.count, _MANY):
        yield
        few = keep[first : first + _MANY]
        start = table.start + first * RECORD_BYTES
        piece = table.records[start : start + len(few) * RECORD_BYTES]
        each = chain.from_iterable(_RECORD.iter_unpack(piece))
        records += b"".join(compress(each, few))
    return IdTable(records, (yield from make_index(records)), table.segments)


def _place(table: IdTable, fingerprint: bytes) -> int:
    """Return how many ids of a table are less than this one."""
    bucket = top_of(fingerprint, table.bits)
    low, high = (at // RECORD_BYTES for at in table.index[bucket : bucket + 2])
    return bisect_left(range(table.count), fingerprint, low, high, key=table.fingerprint)


def _counted(segments: Sequence[Segment], records: bytearray) -> list[Segment]:
    marks = records[FINGERPRINT_BYTES::RECORD_BYTES]
    slots = marks.translate(bytes(mark >> 4 for mark in range(256)))
    return [segment._replace(ids=slots.count(n)) for n, segment in enumerate(segments)]


def make_index(records: Memory) -> Generator[None, None, array[int]]:
    """Make the index of a buffer that holds nothing but records."""
    count = len(records) // RECORD_BYTES
    bits = index_bits(count)
    # The first four bytes of each as a number of this machine, to be bisected without Python.
    column = bytearray(4 * count)
    for byte in range(4):
        column[byte::4] = records[byte if sys.byteorder == "big" else 3 - byte :: RECORD_BYTES]
    tops = memoryview(column).cast("I")
    index, place = array("I", (0,)), 0
    for bucket in range(1, 1 << bits):
        if bucket % _PIECE == 0:
            yield
        edge = bucket << (32 - bits)
        # Ids are spread evenly, so the next edge is near; if it is not, look further.
        near = min(place + (4 << _IDS_PER_BUCKET), count)
        place = bisect_left(tops, edge, place, near)
        if place == near:
            place = bisect_left(tops, edge, place, count)
        index.append(place * RECORD_BYTES)
    index.append(count * RECORD_BYTES)
    return index
