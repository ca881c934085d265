"""A denylist as bytes: what a replica keeps on disk and hands to the process that merges.

::

    head      40 bytes    magic, version, byte order, sizes
    tables                of tokens and of sessions (annul.core.id_table), in 8-byte words
    facts                 strict JSON, one object a line: what it belongs to, then each other entry
    digest    32 bytes    BLAKE2b of everything before

The digest tells damage, not malice: whoever can write the file can write another digest. Bytes that
are cut short, damaged, too many, of another version, of another byte order or of another issuer are
``InvalidRequest``, and nothing is taken from them.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from hashlib import blake2b
from struct import Struct
from typing import TYPE_CHECKING, Any, NoReturn

from annul.core.base import Base
from annul.core.encoding import EncodingError, compact_json, parse_object
from annul.core.entry_json import (
    entry_from_json,
    entry_to_json,
    number_from_json,
    watermark_from_json,
    watermark_to_json,
    whole_from_json,
)
from annul.core.id_table import MOST_BITS, MOST_IDS, RECORD_BYTES, IdTable
from annul.core.segments import MOST_SEGMENTS, Segment
from annul.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from mmap import mmap

    from annul.core.revocation import Revocation, Watermark

__all__ = ["MOST_WATERMARKS", "Snapshot", "decode", "encode"]

MOST_WATERMARKS = 8
"""How many places to go on from a snapshot names at most."""

_MAGIC = b"annul\0dl"
_VERSION = 2
_BYTE_ORDER = {"little": 1, "big": 2}[sys.byteorder]
_HEAD = Struct(">8sHBBBBxxQQQ")
_DIGEST_BYTES = 32
_MOST_FACTS = 1 << 28
_PIECE = 1 << 20
_LINES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that a denylist knows at one moment, and what it belongs to.

    ``watermarks`` are the places in the log from which one can go on, the best first: everything
    before each of them is in here. ``others`` are the entries that are not in the ``base``.
    """

    issuer: str
    lineage: str
    watermarks: tuple[Watermark, ...]
    pruned_by: float
    base: Base
    others: tuple[Revocation, ...]


# --- writing --------------------------------------------------------------------------


def encode(snapshot: Snapshot) -> Iterator[bytes | memoryview]:
    """Return the pieces of a snapshot in order, and between them empty ones where work is done.

    Each takes little time, so that other threads can be let run in between.
    """
    tables = (snapshot.base.tokens, snapshot.base.sessions)
    if any(table.count > MOST_IDS for table in tables):
        raise InvalidRequest("a snapshot holds at most 268,435,456 ids of a kind")
    lines = []
    for number, line in enumerate(_lines(snapshot)):
        lines.append(line)
        if number % _LINES == 0:
            yield b""
    facts = b"\n".join(lines)
    if len(facts) > _MOST_FACTS:
        raise InvalidRequest("a snapshot holds at most 256 MiB of entries that are not ids")
    digest = blake2b(digest_size=_DIGEST_BYTES)
    head = _HEAD.pack(
        _MAGIC,
        _VERSION,
        _BYTE_ORDER,
        *(table.bits for table in tables),
        0,
        *(table.count for table in tables),
        len(facts),
    )
    parts = [memoryview(part).cast("B") for table in tables for part in _parts(table)]
    for part in (memoryview(head), *parts, memoryview(facts)):
        for start in range(0, len(part), _PIECE):
            piece = part[start : start + _PIECE]
            digest.update(piece)
            yield piece
    yield digest.digest()


def _parts(table: IdTable) -> tuple[Any, ...]:
    _, length, padding = _lengths(table.count, table.bits)
    records = memoryview(table.records)[table.start : table.start + length]
    return table.index, records, bytes(padding)


def _lengths(count: int, bits: int) -> tuple[int, int, int]:
    """Return how many bytes index and records take, and how many more make up whole words."""
    index, records = 4 * ((1 << bits) + 1), RECORD_BYTES * count
    return index, records, -(index + records) % 8


def _lines(snapshot: Snapshot) -> Iterator[bytes]:
    first = {
        "issuer": snapshot.issuer,
        "lineage": snapshot.lineage,
        "watermarks": [watermark_to_json(mark) for mark in snapshot.watermarks[:MOST_WATERMARKS]],
        "pruned_by": snapshot.pruned_by,
        "tokens": _segments_to_json(snapshot.base.tokens),
        "sessions": _segments_to_json(snapshot.base.sessions),
    }
    try:
        yield compact_json(first)
        for entry in snapshot.others:
            yield compact_json(entry_to_json(entry, snapshot.issuer))
    except EncodingError:
        raise InvalidRequest("an entry holds what JSON cannot carry") from None


def _segments_to_json(table: IdTable) -> list[list[int | None]]:
    return [list(segment) for segment in table.segments]


# --- reading --------------------------------------------------------------------------


def decode(data: bytes | mmap, *, issuer: str | None, only_base: bool = False) -> Snapshot:
    """Return the snapshot in ``data``, whose tables stay in it: it must never change.

    With ``only_base`` there are no ``others``: who knows them need not wait until they are read.
    Raises ``InvalidRequest`` unless it is whole and belongs to ``issuer``; ``None`` is any.
    """
    view = memoryview(data)
    size = len(view)
    if size < _HEAD.size + _DIGEST_BYTES:
        _refuse("too short")
    magic, version, order, *bits, _spare, tokens, sessions, facts = _HEAD.unpack_from(view)
    if magic != _MAGIC:
        _refuse("not a snapshot")
    if version != _VERSION or order != _BYTE_ORDER:
        _refuse("of another version or another kind of machine")
    if max(tokens, sessions) > MOST_IDS or max(bits) > MOST_BITS or facts > _MOST_FACTS:
        _refuse("too large")
    shapes = tuple(zip((tokens, sessions), bits, strict=True))
    if size != _HEAD.size + sum(sum(_lengths(*each)) for each in shapes) + facts + _DIGEST_BYTES:
        _refuse("cut short, or longer than it says")
    _check_digest(view)
    end = size - _DIGEST_BYTES
    first, *lines = data[end - facts : end].split(b"\n", 1 if only_base else -1)
    try:
        return _assemble(data, shapes, issuer, parse_object(first), () if only_base else lines)
    except EncodingError:
        _refuse("its facts cannot be read")


def _refuse(why: str) -> NoReturn:
    raise InvalidRequest(f"these bytes are no snapshot that can be used: {why}")


def _check_digest(view: memoryview) -> None:
    digest = blake2b(digest_size=_DIGEST_BYTES)
    end = len(view) - _DIGEST_BYTES
    for start in range(0, end, _PIECE):
        digest.update(view[start : min(start + _PIECE, end)])
    if digest.digest() != view[end:]:
        _refuse("damaged")


def _assemble(
    data: bytes | mmap,
    shapes: tuple[tuple[int, int], ...],
    expected: str | None,
    first: Mapping[str, Any],
    lines: Iterable[bytes],
) -> Snapshot:
    issuer, lineage, marks = (first.get(name) for name in ("issuer", "lineage", "watermarks"))
    if type(issuer) is not str or type(lineage) is not str:
        raise EncodingError("not what a snapshot begins with")
    if type(marks) is not list or len(marks) > MOST_WATERMARKS:
        raise EncodingError("not what a snapshot begins with")
    if expected is not None and issuer != expected:
        _refuse("of another issuer")
    return Snapshot(
        issuer=issuer,
        lineage=lineage,
        watermarks=tuple(map(watermark_from_json, marks)),
        pruned_by=number_from_json(first.get("pruned_by")),
        base=Base(
            _table(data, _HEAD.size, shapes[0], first.get("tokens")),
            _table(data, _HEAD.size + sum(_lengths(*shapes[0])), shapes[1], first.get("sessions")),
            issuer=issuer,
        ),
        others=tuple(entry_from_json(parse_object(line), issuer) for line in lines),
    )


def _table(data: bytes | mmap, start: int, shape: tuple[int, int], segments: object) -> IdTable:
    count, _ = shape
    end = start + _lengths(*shape)[0]
    # Somebody may have written a wrong index and the right digest. Whatever it says, a look-up
    # finds twelve equal bytes in here or nothing. A mark follows: no id is the end of the digest.
    index = memoryview(data)[start:end].cast("I")
    return IdTable(data, index, _segments_from_json(segments), start=end, count=count)


def _segments_from_json(found: object) -> list[Segment]:
    if type(found) is not list or len(found) > MOST_SEGMENTS:
        raise EncodingError("not segments")
    segments = []
    for each in found:
        if type(each) is not list or len(each) != len(Segment._fields):
            raise EncodingError("not a segment")
        until, ids, alive = each
        if type(alive) is not bool:
            raise EncodingError("not a segment")
        segments.append(
            Segment(None if until is None else whole_from_json(until), whole_from_json(ids), alive)
        )
    return segments
