"""Reads an audit log again, and says whether every line follows from the one before it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, BinaryIO

from annul.audit.chain import BEGINNING, MOST_BYTES, Broken, Chain, Place, read
from annul.core.encoding import EncodingError
from annul.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["Checked", "check"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What was found in a log.

    ``why`` is ``None`` if all of it is good; otherwise it says what is wrong, with line ``line`` of
    ``file`` if that is one line's. ``first`` and ``last`` are the numbers of the lines that are
    good and follow from each other, ``head`` is the hash of the last one. ``pieces`` counts writes
    that were cut short; ``unfinished`` says that the end is one, or is just being written.
    """

    first: int
    last: int
    head: str
    pieces: int = 0
    unfinished: bool = False
    file: str | None = None
    line: int | None = None
    why: str | None = None

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return self.why is None


def check(paths: Sequence[Path], *, head: str | None = None) -> Checked:
    """Read the files of one log, in whatever order they are given, and return what was found.

    ``head`` is the hash of a line, noted elsewhere at an earlier time. It has to be in the log, so
    nothing up to there can have been cut off or written anew. Raises ``Misconfigured`` for a file
    that cannot be read.
    """
    chain, heads = Chain(), _Heads(head)
    unfinished = False
    for path in _in_order(paths):
        number = 0
        try:
            _expect(finished=not unfinished)
            with _opened(path) as file:
                for line in _lines(file):
                    number += 1
                    unfinished = not line.endswith(b"\n") and len(line) <= MOST_BYTES
                    if not unfinished:
                        chain.follow(line.removesuffix(b"\n"))
                        heads.pass_by(chain.place)
            number += 1
            chain.finish()
        except Broken as broken:
            at = max(1, number - broken.back)
            return replace(_found(chain), file=str(path), line=at, why=broken.why)
    found = replace(_found(chain), unfinished=unfinished)
    return found if heads.seen else replace(found, why="the head that was noted is not in this log")


class _Heads:
    """Looks out for a hash that was noted, if one was."""

    def __init__(self, noted: str | None) -> None:
        self._noted = noted
        self.seen = noted is None

    def pass_by(self, place: Place) -> None:
        self.seen = self.seen or place.hash == self._noted


def _expect(*, finished: bool) -> None:
    if not finished:
        raise Broken("the file before this one has no whole last line")


def _found(chain: Chain) -> Checked:
    began = BEGINNING if chain.began is None else chain.began
    return Checked(
        first=min(began.seq + 1, chain.place.seq),
        last=chain.place.seq,
        head=chain.place.hash,
        pieces=chain.pieces,
    )


def _in_order(paths: Sequence[Path]) -> list[Path]:
    """Sort by the number of the first line; a file that has none comes where it was given."""
    return sorted(dict.fromkeys(paths), key=_first_number)


def _first_number(path: Path) -> float:
    with _opened(path) as file:
        for line in _lines(file):
            try:
                return float(read(line.removesuffix(b"\n"))["seq"])
            except EncodingError:
                continue
    return inf


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file; what is far too long for one comes in pieces."""
    return iter(lambda: file.readline(MOST_BYTES + 2), b"")


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise Misconfigured(f"cannot read {path}: {why}") from None
