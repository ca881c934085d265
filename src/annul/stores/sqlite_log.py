"""The reading half of the SQLite store: what a replica needs, and the thread it all runs in.

A bell file beside the database, rewritten after each commit, wakes readers in other processes
within milliseconds. It is only a doorbell: renewals read the truth.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from annul.core.claims import Clock, system_clock
from annul.core.revocation import Fingerprinter, Revocation, Watermark
from annul.errors import StoreUnavailable, WrongStore
from annul.stores import sql
from annul.stores.base import (
    MOST_OFFERS,
    Diverged,
    Identity,
    Lease,
    LogReader,
    PublishedKeys,
    Renewal,
    Snapshot,
)
from annul.stores.sqlite_file import Bell, DatabaseFile, explain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from annul.core.revocation import Position

__all__ = ["EMPTY_JWKS", "SQLiteLog"]

T = TypeVar("T")

EMPTY_JWKS = '{"keys":[]}'
_BELL_INTERVAL = 0.003
_inherited: list[object] = []


def _snapshot(db: sqlite3.Connection, rows: sqlite3.Cursor) -> Snapshot:
    """Return these rows of the log and its head, of the moment that the transaction sees."""
    epoch, seq, tag = db.execute("SELECT epoch, seq, tag FROM identity").fetchone()
    return Snapshot(tuple(map(sql.entry_from, rows)), Watermark(epoch, seq, bytes(tag)))


class SQLiteLog(LogReader):
    """Reads the log in one SQLite file, and writes nothing but its own lease.

    All work on the connection happens in one thread of its own, so that a locked or slow disk
    never stops the event loop.
    """

    def __init__(
        self, path: str, *, issuer: str | None = None, clock: Clock = system_clock
    ) -> None:
        self._file = DatabaseFile(path)
        self._bell = Bell(path)
        self._issuer = issuer
        self._clock = clock
        self._heard = b""
        self._closed = False
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="annul-sqlite")

    async def _run(self, work: Callable[[], T]) -> T:
        self._check_open()
        if self._pid != os.getpid():
            # The parent's thread is not here. (Its connection was closed before the fork.)
            _inherited.append(self._thread)
            self._start()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError) as error:
            raise explain(error, self._file.path) from error
        except RuntimeError as error:
            # Executors take no work once the interpreter has begun to shut down.
            raise StoreUnavailable("the process is shutting down") from error

    def _check_open(self) -> None:
        if self._closed:
            raise StoreUnavailable("this store handle has been closed; open the store again")

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        def commit() -> T:
            with self._file.writing() as db:
                self._recorded(db)
                result = work(db)
            self._bell.ring()
            return result

        return await self._run(commit)

    async def _read(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        def look() -> T:
            with self._file.reading() as db:
                if db is None or self._recorded(db, optional=True) is None:
                    return otherwise
                return work(db)

        return await self._run(look)

    def _recorded(self, db: sqlite3.Connection, *, optional: bool = False) -> Identity | None:
        row = db.execute(sql.SELECT_IDENTITY).fetchone()
        if row is None:
            if optional:
                return None
            raise StoreUnavailable(f"{self._file.path} is empty: an authority has to open it first")
        identity = sql.identity_from(row)
        if self._issuer is not None and identity.issuer != self._issuer:
            raise WrongStore(
                f"{self._file.path} belongs to the issuer {identity.issuer}; name another file"
            )
        self._fingerprint = Fingerprinter(identity.issuer)
        return identity

    # --- reading the log --------------------------------------------------------------

    async def identity(self) -> Identity | None:
        return await self._read(self._recorded, None)

    async def renew(self, lease: Lease) -> Renewal | None:
        if await self.identity() is None:
            return None

        def work() -> Renewal:
            # No bell: a renewal tells other readers nothing they wait for.
            with self._file.writing() as db:
                before = db.execute("SELECT beat FROM leases WHERE id = ?", (lease.id,)).fetchone()
                db.execute(sql.INSERT_LEASE, sql.lease_row(lease))
                row = db.execute(
                    "SELECT epoch, seq, tag, time, keys_version, horizon, lineage FROM identity"
                ).fetchone()
            epoch, seq, tag, now, keys_version, horizon, lineage = row
            return Renewal(
                head=Watermark(epoch, seq, bytes(tag)),
                store_time=max(now, self._clock()),
                keys_version=keys_version,
                horizon=horizon,
                lineage=lineage,
                previous=None if before is None else before[0],
            )

        return await self._run(work)

    async def release(self, lease_id: str) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute(sql.RELEASE_LEASE, (lease_id, int(self._clock())))

        await self._write(work)

    async def leases(self) -> tuple[Lease, ...]:
        def work(db: sqlite3.Connection) -> tuple[Lease, ...]:
            return tuple(map(sql.lease_from, db.execute(sql.SELECT_LEASES)))

        return await self._read(work, ())

    async def offer(self, entries: Sequence[Revocation]) -> None:
        def work(db: sqlite3.Connection) -> None:
            (held,) = db.execute("SELECT count(*) FROM offers").fetchone()
            rows = map(sql.entry_row, entries[: max(0, MOST_OFFERS - held)])
            db.executemany(sql.INSERT_OFFER, rows)

        await self._write(work)

    async def changes(
        self, after: Watermark, limit: int = 1000
    ) -> tuple[Revocation, ...] | Diverged:
        def work(db: sqlite3.Connection) -> tuple[Revocation, ...] | Diverged:
            epoch, genesis, pruned = db.execute(
                "SELECT epoch, genesis, pruned FROM identity"
            ).fetchone()
            if after.seq == 0 and not pruned:
                known = (after.epoch, after.tag) == (epoch, bytes(genesis))
            else:
                row = db.execute(sql.SELECT_BY_TAG, (after.tag,)).fetchone()
                known = row is not None and sql.entry_from(row).watermark == after
            if not known:
                at_genesis = (after.epoch, after.seq, after.tag) == (epoch, 0, bytes(genesis))
                return Diverged(
                    pruned=at_genesis or (after.epoch == epoch and 0 < after.seq <= pruned)
                )
            rows = db.execute(sql.SELECT_AFTER, (after.epoch, after.seq, limit))
            return tuple(map(sql.entry_from, rows))

        return await self._read(work, Diverged(pruned=False))

    async def snapshot(self) -> Snapshot:
        def work(db: sqlite3.Connection) -> Snapshot:
            return _snapshot(db, db.execute(sql.SELECT_LOG))

        return await self._read(work, Snapshot((), Watermark(0, 0, b"")))

    async def page(self, after: Position, limit: int = 1000) -> Snapshot:
        def work(db: sqlite3.Connection) -> Snapshot:
            return _snapshot(db, db.execute(sql.SELECT_AFTER, (*after, limit)))

        return await self._read(work, Snapshot((), Watermark(0, 0, b"")))

    async def published_keys(self) -> PublishedKeys:
        def work(db: sqlite3.Connection) -> PublishedKeys:
            return PublishedKeys(*db.execute("SELECT keys_version, jwks FROM identity").fetchone())

        return await self._read(work, PublishedKeys(0, EMPTY_JWKS))

    async def wait(self, timeout: float) -> None:
        self._check_open()
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        # Compared with what the last wait heard, so a ring between two waits is not missed.
        while (rung := self._bell.read()) == self._heard:
            left = deadline - loop.time()
            if left <= 0:
                return
            await asyncio.sleep(min(_BELL_INTERVAL, left))
        self._heard = rung

    async def close(self) -> None:
        if self._closed:
            return
        if self._pid == os.getpid():
            await self._run(self._file.close)
            self._thread.shutdown(wait=False)
            self._bell.close()
        self._closed = True
