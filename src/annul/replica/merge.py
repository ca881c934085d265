"""The process that weaves what a replica has learnt into its base, so that no thread waits for it.

``python -m annul.replica.merge ISSUER OLD NEW``: OLD is the descriptor of the snapshot with the
base, NEW that of an empty file. What was learnt is a snapshot too and comes by standard input. The
new file has all ids of both, and everything else from what was learnt.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from annul.core.snapshot import decode, encode
from annul.errors import AnnulError

if TYPE_CHECKING:
    from collections.abc import Generator

T = TypeVar("T")

_NICENESS = 5


def merge(issuer: str, old: int, new: int, learnt: bytes) -> None:
    """Write the snapshot of both to the descriptor ``new``, down to the disk."""
    base = decode(
        memoryview(mmap.mmap(old, 0, access=mmap.ACCESS_READ)), issuer=issuer
    ).base
    news = decode(learnt, issuer=issuer)
    merged = replace(news, base=in_one_go(base.with_ids(news.base)))
    with os.fdopen(new, "wb", closefd=False) as file:
        for piece in encode(merged):
            file.write(piece)
        file.flush()
        os.fsync(new)


def in_one_go(steps: Generator[None, None, T]) -> T:
    """Return what steps come to, without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # what this generator returns


def main() -> int:
    """Do what the arguments say; 1 if it could not be done."""
    issuer, old, new = sys.argv[1:]
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    try:
        merge(issuer, int(old), int(new), sys.stdin.buffer.read())
    except (OSError, AnnulError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
