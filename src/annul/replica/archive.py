"""Keeps the ids of a large denylist in a mapped base, and the last good snapshot on disk.

::

    fewer than 100,000 ids     dicts only; a snapshot, if one is kept, is written by this process
    more of them               they go into a base, 13.4 bytes each, in a mapped file
    a base of that size        another process weaves what was learnt into the next one

All of it happens on the follower's event loop in small pieces, or in a thread that waits for a disk
or for the other process. The youngest ids stay in the denylist as well, with all their particulars:
those are what a store that has lost its end can be given back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
import time
from math import inf
from typing import TYPE_CHECKING, TypeVar

from annul.core.base import build_base
from annul.core.snapshot import MOST_WATERMARKS, Snapshot, encode
from annul.errors import AnnulError, StoreUnavailable
from annul.replica.disk import Draft, Mapped, SnapshotFile

if TYPE_CHECKING:
    import os
    from collections.abc import Generator, Iterable

    from annul.core.denylist import Denylist
    from annul.core.revocation import Revocation, Watermark

__all__ = ["Archive"]

log = logging.getLogger("annul.replica")

T = TypeVar("T")

MANY = 100_000
"""From how many ids on a base is made, and another process woven with."""

YOUNGEST = 10_000
"""How many ids of each kind stay in the denylist as they came."""

SAVE_EVERY = 30.0
"""After how many seconds at the earliest the snapshot is written again."""

_SHARE_OF_TIME = 100
_AFTER_FAILURE = 600.0
_LONGEST_MERGE = 300.0
_LASTING = 86_400
_SETTLED_AT_ONCE = 200


class Archive:
    """What one denylist is kept in. Lives as long as the denylist, over forks too.

    ``path`` is the place of the snapshot, ``None`` if none is kept.
    """

    def __init__(
        self, denylist: Denylist, *, issuer: str, path: str | os.PathLike[str] | None = None
    ) -> None:
        self._denylist = denylist
        self._issuer = issuer
        self._file = SnapshotFile(path)
        self._mapped: Mapped | None = None
        self._marks: list[Watermark] = []
        self._read = self._file.path is None
        self._saved: tuple[int, Watermark | None] = (denylist.version, None)
        self._left = 0
        self._next = -inf
        self._work: asyncio.Task[None] | None = None
        self._merger: subprocess.Popen[bytes] | None = None

    # --- at the start -----------------------------------------------------------------

    async def restore(self, lineage: str) -> tuple[Revocation, ...]:
        """Read the snapshot, once; return its entries that are not ids, for the denylist to learn.

        Those ids are in the base then, and ``next_mark`` gives the places to go on from.
        """
        if self._read:
            return ()
        self._read = True
        mapped = await asyncio.to_thread(self._file.read, issuer=self._issuer, lineage=lineage)
        if mapped is None:
            return ()
        if self._denylist.base is not None:
            mapped.close()
            return ()
        snapshot = mapped.snapshot
        if len(snapshot.base):
            self._adopt(mapped)
        else:
            mapped.close()
        self._denylist.pruned_by = max(self._denylist.pruned_by, snapshot.pruned_by)
        self._marks = list(snapshot.watermarks)
        return snapshot.others

    def next_mark(self) -> Watermark | None:
        """Return the next best place in the log that all of before is known of."""
        return self._marks.pop(0) if self._marks else None

    # --- in between -------------------------------------------------------------------

    def consider(self, lineage: str) -> None:
        """Begin to make the next base or to write a snapshot, if it is time; wait for nothing."""
        now = time.monotonic()
        if now < self._next or (self._work is not None and not self._work.done()):
            return
        if self._is_full() or self._is_behind():
            self._work = asyncio.get_running_loop().create_task(self._do(lineage))

    def _is_full(self) -> bool:
        outside = sum(map(len, self._denylist.ids()))
        base = self._denylist.base
        forgotten = 0 if base is None else base.forgotten
        return outside - self._left >= MANY or forgotten >= max(MANY, len(self._denylist) // 4)

    def _is_behind(self) -> bool:
        state = (self._denylist.version, self._denylist.watermark)
        return self._file.path is not None and state[1] is not None and state != self._saved

    async def _do(self, lineage: str) -> None:
        began = time.monotonic()
        try:
            await self._renew(lineage)
        except (OSError, AnnulError, subprocess.SubprocessError) as error:
            log.warning("cannot write the snapshot, trying again later: %s", error)
            self._next = time.monotonic() + _AFTER_FAILURE
        else:
            took = time.monotonic() - began
            self._next = began + max(SAVE_EVERY, took * _SHARE_OF_TIME)

    async def _renew(self, lineage: str) -> None:
        denylist, base = self._denylist, self._denylist.base
        full = self._is_full()
        state = (denylist.version, denylist.watermark)
        tokens, sessions = denylist.ids()
        others = tuple(denylist.others())
        learnt = Snapshot(
            issuer=self._issuer,
            lineage=lineage,
            watermarks=self._places(others, sessions),
            pruned_by=denylist.pruned_by,
            base=await paced(build_base(tokens, sessions, issuer=self._issuer)),
            others=others,
        )
        with await asyncio.to_thread(self._file.draft) as draft:
            if base is not None and self._mapped is not None and len(base) >= MANY:
                await self._merge(learnt, self._mapped, draft)
            else:
                if base is not None:
                    whole = await paced(base.with_ids(learnt.base))
                    learnt = replace(learnt, base=whole)
                await asyncio.to_thread(draft.write, await self._encoded(learnt))
            if full or (base is not None and len(base) >= MANY):
                mapped = await asyncio.to_thread(Mapped, draft.file.fileno(), self._issuer)
                self._adopt(mapped)
                await self._settle(tokens)
                await self._settle(sessions)
                self._left = sum(map(len, denylist.ids()))
            await asyncio.to_thread(draft.publish)
        self._saved = state
