"""The process that weaves what a replica has learnt into its base, so that no thread waits for it.

``python -m annul.replica.merge OLD NEW``: OLD is the descriptor of the snapshot with the base, NEW
that of an empty file. What was learnt is a snapshot too and comes by standard input. The new file
has the ids of both that have not expired, and everything else from what was learnt.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import sys
from dataclasses import replace

from annul.core.snapshot import decode, encode
from annul.core.steps import in_one_go
from annul.errors import AnnulError

_NICENESS = 19  # nobody waits for it


def merge(old: int, new: int, learnt: bytes) -> None:
    """Write the snapshot of both to the descriptor ``new``, down to the disk."""
    news = decode(learnt, issuer=None)
    held = mmap.mmap(old, 0, access=mmap.ACCESS_READ)
    base = decode(held, issuer=news.issuer).base.without(news.pruned_by)
    merged = replace(news, base=in_one_go(base.with_ids(news.base)))
    with os.fdopen(new, "wb", closefd=False) as file:
        for piece in encode(merged):
            file.write(piece)
        file.flush()
        os.fsync(new)


def main() -> int:
    """Do what the arguments say; 1 if it could not be done."""
    old, new = map(int, sys.argv[1:])
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    try:
        merge(old, new, sys.stdin.buffer.read())
    except (OSError, AnnulError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
