"""Keeps the ids of a large denylist in a mapped base, and the last good snapshot on disk.

::

    fewer than 100,000 ids     dicts only; a snapshot, if one is kept, is written by this process
    more of them               they go into a base, 14 bytes each, in a mapped file
    a base of that size        another process weaves what was learnt into the next one

All of it happens on the follower's event loop in small pieces, or in a thread that waits for a disk
or for the other process. The youngest ids stay in the denylist as well, with all their particulars:
those are what a store that has lost its end can be given back.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, TypeVar

from annul.core.base import build_base
from annul.core.snapshot import MOST_WATERMARKS, Snapshot, encode
from annul.errors import AnnulError
from annul.replica.disk import Draft, Mapped, SnapshotFile
from annul.replica.weaver import Weaver
from annul.stores.base import Diverged

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Generator, Iterable

    from annul.core.denylist import Denylist
    from annul.core.revocation import Revocation, Watermark
    from annul.stores.base import LogReader

__all__ = ["Archive", "read_on"]

log = logging.getLogger("annul.replica")

T = TypeVar("T")

MANY = 100_000
"""From how many ids on a base is made, and another process woven with."""

SAVE_EVERY = 30.0
"""After how many seconds at the earliest the snapshot is written again."""

_SHARE_OF_TIME = 100
_AFTER_FAILURE = 600.0
_AT_ONCE = 250
_QUICKLY = 5_000
# A real pause: while threads only take turns at the interpreter's lock without one, a thread that
# waits for it can go without for hundreds of milliseconds.
_PAUSE = 0.0005
# Not more often than this, because a thread that verifies without a break gives the lock back only
# after the interpreter's switch interval, 5 ms; and often enough that it need not ask for it.
_STINT = 0.002
_DONE = object()


class Archive:
    """What one denylist is kept in. Lives as long as the denylist, over forks too.

    ``path`` is the place of the snapshot, ``None`` if none is kept. ``lock`` is held by whoever
    changes the denylist. ``many`` is the number of ids from which on there is a base; a tenth of
    it, of each kind, stays outside.
    """

    def __init__(
        self,
        denylist: Denylist,
        *,
        issuer: str,
        path: str | os.PathLike[str] | None = None,
        many: int = MANY,
    ) -> None:
        self._denylist = denylist
        self._issuer = issuer
        self.lock = threading.Lock()
        self._many = many
        self._youngest = many // 10
        self._file = SnapshotFile(path)
        self._mapped: Mapped | None = None
        self._marks: list[Watermark] = []
        self._read = self._file.path is None
        self._saved: tuple[int, Watermark | None] = (denylist.version, None)
        self._left = 0
        self._next = -inf
        self._work: asyncio.Task[None] | None = None
        self._weaver = Weaver()
        self._pruning: asyncio.Task[None] | None = None
        self._places_before: list[Watermark] = []
        self._lineage = ""

    # --- at the start -----------------------------------------------------------------

    async def restore(self, lineage: str) -> tuple[Revocation, ...]:
        """Read the snapshot, once; return its entries that are not ids, for the denylist to learn.

        Those ids are in the base then, and ``next_mark`` gives the places to go on from.
        """
        self._lineage = lineage
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
        self._denylist.pruned_by = max(self._denylist.pruned_by, snapshot.pruned_by)
        if len(snapshot.base):
            await self._adopt(mapped)
        else:
            mapped.close()
        self._marks = list(snapshot.watermarks)
        self._places_before = list(snapshot.watermarks)
        return snapshot.others

    def next_mark(self) -> Watermark | None:
        """Return the next best place in the log that all of before is known of."""
        return self._marks.pop(0) if self._marks else None

    # --- in between -------------------------------------------------------------------

    @property
    def is_full(self) -> bool:
        """Whether so many ids lie outside the base, or have been forgotten in it, that it is time.

        Then ``renew`` is worth waiting for.
        """
        base = self._denylist.base
        forgotten = 0 if base is None else base.forgotten
        return self._denylist.outside - self._left >= self._many or forgotten >= max(
            self._many, len(self._denylist) // 4
        )

    @property
    def is_behind(self) -> bool:
        """Whether a snapshot is kept, and not all that can be read from the log is in it."""
        state = (self._denylist.version, self._denylist.watermark)
        return self._file.path is not None and state[1] is not None and state != self._saved

    def consider(self, lineage: str) -> None:
        """Begin to ``renew``, if it is time for it; wait for nothing."""
        if time.monotonic() < self._next or not (self._work is None or self._work.done()):
            return
        # What has been forgotten since does not make room for others.
        self._left = min(self._left, self._denylist.outside)
        if self.is_full or self.is_behind:
            self._work = asyncio.get_running_loop().create_task(self.renew(lineage))

    async def fill(self, lineage: str) -> None:
        """Do it before anything is answered, if so much has been loaded that it is time."""
        if self.is_full:
            await self.renew(lineage)

    async def make_room(self) -> bool:
        """Do it while everything is being read, before very much lies outside the base.

        A quarter more each time keeps the work in proportion. Says whether there is room again.
        """
        base = self._denylist.base
        if self._denylist.outside * 4 < (0 if base is None else len(base)):
            return True
        await self.fill(self._lineage)
        return not self.is_full

    async def renew(self, lineage: str) -> None:
        """Make the next base if it is time, and write the snapshot if one is kept.

        Failures are logged: they cost memory and the time of the next start, and nothing else.
        """
        began = time.monotonic()
        self._next = began + _AFTER_FAILURE
        try:
            await self._renew(lineage)
        except (OSError, AnnulError) as error:
            log.warning("cannot write a snapshot, trying again later: %s", error)
        else:
            took = time.monotonic() - began
            self._next = began + max(SAVE_EVERY, took * _SHARE_OF_TIME)

    async def _renew(self, lineage: str) -> None:
        denylist = self._denylist
        adopting, mapped, base = self.is_full, self._mapped, denylist.base
        state = (denylist.version, denylist.watermark)
        # Without waiting in between: everything up to the watermark is in what follows it.
        tokens, sessions = denylist.ids()
        others, pruned_by = tuple(denylist.others()), denylist.pruned_by
        news = Snapshot(
            issuer=self._issuer,
            lineage=lineage,
            watermarks=self._places(state[1], (*others, *sessions[-self._youngest :])),
            pruned_by=pruned_by,
            base=await _paced(build_base(tokens, sessions, issuer=self._issuer)),
            others=others,
        )
        with self._file.draft() as draft:
            if base is None:
                await self._write(news, draft)
            elif mapped is None or len(base) < self._many:
                whole = await _paced(base.with_ids(news.base))
                await self._write(replace(news, base=whole), draft)
            else:
                adopting = True
                learnt = b"".join(await _pieces(news))
                await self._weaver.weave(mapped.file, draft.file.fileno(), learnt)
            if adopting:
                mapped = base = None  # nothing may hold on to the map that is let go
                await self._adopt(
                    await asyncio.to_thread(
                        Mapped, draft.file.fileno(), self._issuer, only_base=True
                    )
                )
                await self._settle(tokens)
                await self._settle(sessions)
                self._left = denylist.outside
            await asyncio.to_thread(draft.publish)
        self._saved = state

    def _places(
        self, mark: Watermark | None, entries: Iterable[Revocation]
    ) -> tuple[Watermark, ...]:
        """Return from where one can go on: the last of all, and before it the last of ``entries``.

        The last one may be about a token, and gone from the store a quarter of an hour later. Those
        about anything else stay there for as long as a session may last.
        """
        if mark is None:
            return ()
        lasting = [entry.watermark for entry in entries if entry.position <= mark.position]
        places = [mark, max(lasting, default=mark), *self._places_before]
        self._places_before = list(dict.fromkeys(places))[1:MOST_WATERMARKS]
        return tuple(dict.fromkeys(places))[:MOST_WATERMARKS]

    async def _write(self, snapshot: Snapshot, draft: Draft) -> None:
        await asyncio.to_thread(draft.write, await _pieces(snapshot))

    async def _adopt(self, mapped: Mapped) -> None:
        before, self._mapped = self._mapped, mapped
        with self.lock:
            self._denylist.adopt(mapped.snapshot.base.without(self._denylist.pruned_by))
        if before is not None:
            try:
                for _ in before.leaving():
                    await asyncio.sleep(_PAUSE)
            finally:
                await asyncio.to_thread(before.close)

    async def _settle(self, entries: list[Revocation]) -> None:
        # Few at a time in this list too: letting go of many objects at once takes long.
        entries.reverse()
        until = time.monotonic() + _STINT
        while (old := len(entries) - self._youngest) > 0:
            piece = entries[-min(old, _AT_ONCE) :]
            del entries[-len(piece) :]
            with self.lock:
                self._denylist.settle(piece)
            until = await _pause_after(until)

    def prune_soon(self, now: float) -> None:
        """Let the denylist forget what expired before ``now``, at once if that is quickly done."""
        if self._denylist.outside < _QUICKLY:
            with self.lock:
                self._denylist.prune(now)
        elif self._pruning is None or self._pruning.done():
            self._pruning = asyncio.get_running_loop().create_task(self.prune(now))

    async def prune(self, now: float) -> None:
        """Let the denylist forget what expired before ``now``, by store time, a few at a time."""
        steps = self._denylist.pruning(now)
        left, until = True, time.monotonic() + _STINT
        while left:
            with self.lock:
                left = next(steps, _DONE) is not _DONE
            until = await _pause_after(until)

    # --- at the end -------------------------------------------------------------------

    async def leave(self, lineage: str | None, then: Callable[[], object]) -> None:
        """Stop what is under way and write the snapshot, unless that takes long; ``then`` go."""
        try:
            for task in filter(None, (self._work, self._pruning)):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            if lineage is not None and self.is_behind and len(self._denylist) < self._many:
                await self.renew(lineage)
        finally:
            then()

    def abandon(self) -> None:
        """Take note, in a forked child, that whoever was at work is not here."""
        self._work = self._pruning = None
        self._weaver = Weaver()


async def read_on(
    reader: LogReader, mark: Watermark, apply: Callable[[tuple[Revocation, ...]], object]
) -> Diverged | None:
    """Apply everything that the log has after ``mark``; return its answer if it has no such place.

    However much it is, it may take its time: nothing is answered before.
    """
    while not isinstance(changes := await reader.changes(mark), Diverged):
        if not changes:
            return None
        apply(changes)
        mark = changes[-1].watermark
    return changes


async def _paced(steps: Generator[None, None, T]) -> T:
    """Return what steps come to, and let everybody else run between them."""
    until = time.monotonic() + _STINT
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # what this generator returns
        until = await _pause_after(until)


async def _pieces(snapshot: Snapshot) -> list[bytes | memoryview]:
    pieces, until = [], time.monotonic() + _STINT
    for piece in encode(snapshot):
        pieces.append(piece)
        until = await _pause_after(until)
    return pieces


async def _pause_after(until: float) -> float:
    """Let everybody else run if the stint is over; return when the next one is, or this one."""
    if time.monotonic() < until:
        return until
    await asyncio.sleep(_PAUSE)
    return time.monotonic() + _STINT
