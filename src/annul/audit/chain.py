"""The chain: what a line of an audit log is, and whether the next one follows from it. Pure.

A line is one JSON object and a line feed::

    {"seq":7,"prev":"9f2c…","at":1700000000.25,"event":"login","subject":"alice",…}

``seq`` counts from 1. ``prev`` is the SHA-256 of the line before, of its bytes as they stand there
without the line feed, in hexadecimal; before the first one it is 64 zeros. So nothing depends on
how somebody would write the same JSON, and ``sha256sum`` can follow it.

A line that is edited, removed, put in or moved no longer fits the one after it. What cannot be seen
from the lines alone is that the last ones are gone, or that all of it was written anew: for that
somebody has to have noted a hash elsewhere.

A write that was cut short leaves a piece of a line. It stays, because nothing is ever removed. The
next line says so: ``{"event":"torn","bytes":…,"sha256":…}`` follows from the line before the piece,
and says what the piece is.
"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from annul.core.encoding import EncodingError, parse_object

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BEGINNING",
    "MOST_BYTES",
    "Broken",
    "Chain",
    "Place",
    "compose",
    "digest",
    "place_of",
    "read",
    "torn",
]

MOST_BYTES = 1 << 20
"""The longest line that is read, in bytes; what annul writes is far shorter."""

TORN = "torn"


class Place(NamedTuple):
    """Where a log stands: the number of its last line, and that line's hash."""

    seq: int
    hash: str


BEGINNING = Place(0, "0" * 64)
"""Before the first line."""


def digest(line: bytes) -> str:
    """Return the hash of a line without its line feed."""
    return sha256(line).hexdigest()


def compose(after: Place, members: Mapping[str, Any]) -> tuple[bytes, Place]:
    """Return the line that says ``members`` after a place, with its line feed; and its place."""
    own = {"seq": after.seq + 1, "prev": after.hash}
    line = json.dumps(own | {**members} | own, separators=(",", ":"), allow_nan=False).encode(
        "ascii"
    )
    return line + b"\n", Place(after.seq + 1, digest(line))


def torn(piece: bytes, at: float) -> dict[str, Any]:
    """Return the members of a line that says that ``piece`` before it is no line."""
    return {"at": at, "event": TORN, "bytes": len(piece), "sha256": digest(piece)}


def read(line: bytes) -> dict[str, Any]:
    """Return what a line says. Raises ``EncodingError`` if it is no line of such a log."""
    if len(line) > MOST_BYTES:
        raise EncodingError("too long for a line")
    found = parse_object(line)
    seq, prev, event = found.get("seq"), found.get("prev"), found.get("event")
    if type(seq) is not int or seq < 1 or type(prev) is not str or type(event) is not str:
        raise EncodingError("not a line of an audit log")
    return found


def place_of(line: bytes) -> Place:
    """Return the place of a line that stands in a log. Raises ``EncodingError`` if it is none."""
    return Place(read(line)["seq"], digest(line))


class Broken(Exception):
    """A line is wrong: the one that was just taken, or one taken ``back`` lines earlier."""

    def __init__(self, why: str, back: int = 0) -> None:
        super().__init__(why)
        self.why = why
        self.back = back


class Chain:
    """Follows a log line by line.

    ``place`` is where it stands, ``began`` the place before its first line, ``None`` until there is
    one. ``lines`` counts lines, ``pieces`` what is left of writes that were cut short.
    """

    def __init__(self) -> None:
        self.place = BEGINNING
        self.began: Place | None = None
        self.lines = 0
        self.pieces = 0
        self._doubtful: list[bytes] = []
        self._why = ""

    def follow(self, line: bytes) -> dict[str, Any] | None:
        """Take the next line and return what it says; ``None`` if only a later one can tell.

        Raises ``Broken`` if it is wrong, or if those before were and it does not explain them.
        """
        try:
            found = read(line)
        except EncodingError as error:
            self._doubt(line, str(error))
            return None
        if self.began is None:
            self._begin(found)
        if self._doubtful and found["event"] == TORN:
            piece = b"\n".join(self._doubtful)
            if (found.get("bytes"), found.get("sha256")) == (len(piece), digest(piece)):
                self._doubtful = []
                self.pieces += 1
        self.finish()
        if found["seq"] != self.place.seq + 1:
            raise Broken(f"line {found['seq']} of the log follows line {self.place.seq}")
        if found["prev"] != self.place.hash:
            raise Broken("it does not follow from what stands before it")
        self.place = Place(found["seq"], digest(line))
        self.lines += 1
        return found

    def finish(self) -> None:
        """Raise ``Broken`` if the lines taken last are wrong, and nothing has explained them."""
        if self._doubtful:
            raise Broken(self._why, back=len(self._doubtful))

    def _doubt(self, line: bytes, why: str) -> None:
        self._why = self._why if self._doubtful else why
        self._doubtful.append(line)
        if sum(map(len, self._doubtful)) > MOST_BYTES:
            raise Broken(self._why, back=len(self._doubtful) - 1)

    def _begin(self, found: dict[str, Any]) -> None:
        # A log whose first files are in an archive begins wherever it begins.
        seq = found["seq"]
        self.began = self.place = BEGINNING if seq == 1 else Place(seq - 1, found["prev"])
