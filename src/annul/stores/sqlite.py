"""The store in one SQLite file, shared by any number of processes on one machine.

An acknowledgement means: committed in WAL mode with ``synchronous=FULL`` to the file that the URL
names, which was checked to be that same file after the commit. ``seq`` is in commit order because
every write holds the one write lock (``BEGIN IMMEDIATE``).
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from annul.core.claims import Clock, system_clock
from annul.core.denylist import Denylist
from annul.core.revocation import Kind, Position, Reason, Revocation
from annul.core.session import BEGINNING, Replayed, Rotated, Session, Unknown, decide
from annul.errors import WrongStore
from annul.stores import sql
from annul.stores.base import (
    Appended,
    Began,
    Covered,
    Draft,
    Identity,
    Lease,
    Store,
    StoredRing,
)
from annul.stores.rules import behind, epoch_after
from annul.stores.sqlite_file import path_from_url
from annul.stores.sqlite_log import EMPTY_JWKS, SQLiteLog

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Mapping, Sequence

    from annul.core.session import RotateOutcome

__all__ = ["SQLiteStore", "from_url"]

_PRUNED_AT_ONCE = 200
_GENESIS_BYTES = 16


def from_url(
    url: str,
    *,
    issuer: str | None,
    allow_volatile: bool = False,
    clock: Clock = system_clock,
) -> SQLiteStore:
    """Return the store in the file of ``sqlite:///path`` (relative) or ``sqlite:////path``."""
    del allow_volatile  # there is no volatile way to set this store up
    return SQLiteStore(path_from_url(url), issuer=issuer, clock=clock)


class SQLiteStore(SQLiteLog, Store):
    """The store in one SQLite file, for an authority."""

    async def found(self, identity: Identity, now: float) -> Identity:
        def work() -> Identity:
            with self._file.writing(create=True) as db:
                known = self._recorded(db, optional=True)
                if known is None:
                    tag = identity.lineage.encode()
                    db.execute(
                        sql.INSERT_IDENTITY,
                        (
                            identity.issuer,
                            identity.lineage,
                            identity.horizon,
                            identity.longest_token,
                            identity.longest_session,
                            int(now),
                            tag,
                            tag,
                            EMPTY_JWKS,
                        ),
                    )
                elif known.issuer != identity.issuer:
                    raise WrongStore(
                        f"{self._file.path} belongs to the issuer {known.issuer}; name another file"
                    )
                limits = (identity.horizon, identity.longest_token, identity.longest_session)
                db.execute(sql.GROW_IDENTITY, limits)
                return sql.identity_from(db.execute(sql.SELECT_IDENTITY).fetchone())

        return await self._run(work)

    async def append(self, drafts: Sequence[Draft], *, floor: Position = BEGINNING) -> Appended:
        def work(db: sqlite3.Connection) -> Appended:
            self._open_epoch_if_behind(db, floor)
            return Appended(tuple(self._append(db, draft) for draft in drafts))

        return await self._write(work)

    def _append(self, db: sqlite3.Connection, draft: Draft) -> Revocation:
        row = db.execute(sql.SELECT_BY_TAG, (draft.tag,)).fetchone()
        if row is not None:
            return sql.entry_from(row)
        lifts: tuple[bytes, ...] = ()
        if draft.lifts_all:
            mark = draft.fingerprint
            rows = db.execute(sql.SELECT_COVERING, (mark, None, None, None))
            lifts = Denylist(map(sql.entry_from, rows)).blocks_of(mark)
        identity = sql.identity_from(db.execute(sql.SELECT_IDENTITY).fetchone())
        epoch, seq, time = db.execute("SELECT epoch, seq, time FROM identity").fetchone()
        now = max(time, self._clock())
        entry = sql.entry_of(draft, Position(epoch, seq + 1), lifts, identity, now)
        db.execute(sql.INSERT_ENTRY, sql.entry_row(entry))
        db.execute("UPDATE identity SET seq = ?, tag = ?", (entry.position.seq, entry.tag))
        return entry

    async def begin(self, session: Session, *, floor: Position = BEGINNING) -> Began | Covered:
        def work(db: sqlite3.Connection) -> Began | Covered:
            self._open_epoch_if_behind(db, floor)
            head = db.execute("SELECT epoch, seq FROM identity").fetchone()
            born = replace(session, since=Position(*head), as_of=Position(*head))
            covered_by = self._covering(db, born)
            if covered_by is not None:
                return Covered(covered_by)
            db.execute(sql.INSERT_SESSION, sql.session_row(born))
            return Began(born)

        return await self._write(work)

    async def rotate(
        self,
        family: bytes,
        generation: int,
        *,
        client_id: str | None,
        jkt: str | None,
        handle_key: str,
        now: float,
        grace: float,
        replay_tag: bytes,
        replay_expires_at: int,
        floor: Position = BEGINNING,
        claims: Mapping[str, Any] | None = None,
        as_of: Position | None = None,
    ) -> RotateOutcome:
        def work(db: sqlite3.Connection) -> RotateOutcome:
            self._open_epoch_if_behind(db, floor)
            session = self._one_session(db, "WHERE family = ?", family)
            if session is None:
                return Unknown()
            head = db.execute("SELECT epoch, seq FROM identity").fetchone()
            outcome = decide(
                session,
                generation,
                covered_by=self._covering(db, session),
                client_id=client_id,
                jkt=jkt,
                handle_key=handle_key,
                now=now,
                grace=grace,
                as_of=as_of or Position(*head),
                claims=claims,
            )
            if isinstance(outcome, Rotated):
                after = outcome.session
                db.execute(
                    sql.ADVANCE_SESSION,
                    sql.advance_row(after, now, confirmed=True),
                )
            elif isinstance(outcome, Replayed):
                (issuer,) = db.execute("SELECT issuer FROM identity").fetchone()
                draft = Draft(
                    tag=replay_tag,
                    issuer=issuer,
                    kind=Kind.SESSION,
                    fingerprint=self._fingerprint(Kind.SESSION, session.sid),
                    reason=Reason.REFRESH_REUSE,
                    at=now,
                    expires_at=replay_expires_at,
                    id=session.sid,
                    lasting=True,
                )
                return Replayed(session, self._append(db, draft))
            return outcome

        return await self._write(work)

    async def sessions(self, subject: str, now: float) -> tuple[Session, ...]:
        def work(db: sqlite3.Connection) -> tuple[Session, ...]:
            return self._alive(db, "subject = ?", subject, now)

        return await self._read(work, ())

    async def session(self, sid: str) -> Session | None:
        return await self._read(lambda db: self._one_session(db, "WHERE sid = ?", sid), None)

    async def family(self, digest: bytes) -> Session | None:
        return await self._read(lambda db: self._one_session(db, "WHERE family = ?", digest), None)

    async def count(self, kind: Kind, value: str, now: float) -> int:
        ends = sql.ENDS.get(kind)
        if ends is None:
            return 0
        return await self._read(lambda db: len(self._alive(db, ends, value, now)), 0)

    async def ring(self) -> StoredRing | None:
        def work(db: sqlite3.Connection) -> StoredRing | None:
            version, ring, jwks = db.execute(
                "SELECT keys_version, ring, jwks FROM identity"
            ).fetchone()
            return StoredRing(version, ring, jwks) if version else None

        return await self._read(work, None)

    async def swap_ring(self, expected: int, ring: StoredRing) -> bool:
        def work(db: sqlite3.Connection) -> bool:
            changed = db.execute(
                "UPDATE identity SET keys_version = ?, ring = ?, jwks = ? WHERE keys_version = ?",
                (ring.version, ring.ring, ring.jwks, expected),
            )
            return changed.rowcount == 1

        return await self._write(work)

    async def prune(self, now: float) -> int:
        def over(db: sqlite3.Connection) -> int:
            db.execute("UPDATE identity SET time = max(time, ?)", (now,))
            return db.execute(sql.DELETE_ENDED, (_PRUNED_AT_ONCE,)).rowcount

        def expired(db: sqlite3.Connection) -> int:
            rows = db.execute(sql.SELECT_EXPIRED, (_PRUNED_AT_ONCE,)).fetchall()
            for entry in map(sql.entry_from, rows):
                ends = sql.ENDS.get(entry.kind)
                if ends is not None and entry.issuer == issuer:
                    at = (*entry.position, entry.at)
                    db.execute(sql.DELETE_COVERED + ends, (entry.kind.value, *at, entry.id or ""))
                db.execute("DELETE FROM log WHERE tag = ?", (entry.tag,))
                db.execute(
                    "UPDATE identity SET pruned = max(pruned, ?) WHERE epoch = ?",
                    (entry.position.seq, entry.position.epoch),
                )
            return len(rows)

        # In short transactions, because nobody's lease can be renewed meanwhile.
        while await self._write(over) == _PRUNED_AT_ONCE:
            pass
        identity = await self.identity()
        issuer = "" if identity is None else identity.issuer
        gone = 0
        while dropped := await self._write(expired):
            gone += dropped
        return gone

    async def expel(self, lease: Lease) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.execute(sql.EXPEL_LEASE, (lease.id, lease.beat, int(self._clock())))

        await self._write(work)

    async def offers(self) -> tuple[Revocation, ...]:
        def work(db: sqlite3.Connection) -> tuple[Revocation, ...]:
            return tuple(map(sql.entry_from, db.execute(sql.SELECT_OFFERS)))

        return await self._read(work, ())

    async def settle(self, offers: Sequence[Revocation]) -> None:
        def work(db: sqlite3.Connection) -> None:
            db.executemany("DELETE FROM offers WHERE tag = ?", [(entry.tag,) for entry in offers])

        await self._write(work)

    # --- inside a transaction -----------------------------------------------------------

    def _open_epoch_if_behind(self, db: sqlite3.Connection, floor: Position) -> None:
        epoch, seq, time = db.execute("SELECT epoch, seq, time FROM identity").fetchone()
        leased = db.execute(sql.SELECT_HIGHEST).fetchone()
        head, now = Position(epoch, seq), max(time, self._clock())
        for seen in (floor, BEGINNING if leased is None else Position(*leased)):
            if behind(head, seen, now):
                head = Position(epoch_after(head, seen, now), 0)
                tag = os.urandom(_GENESIS_BYTES)
                db.execute(sql.OPEN_EPOCH, (head.epoch, tag, tag))

    def _one_session(
        self, db: sqlite3.Connection, where: str, value: str | bytes
    ) -> Session | None:
        row = db.execute(sql.SELECT_SESSION + where, (value,)).fetchone()
        return None if row is None else sql.session_from(row)

    def _covering(self, db: sqlite3.Connection, session: Session) -> Revocation | None:
        facts = session.facts(self._fingerprint)
        rows = db.execute(sql.SELECT_COVERING, sql.covering_marks(facts))
        return Denylist(map(sql.entry_from, rows)).find(facts)

    def _alive(
        self, db: sqlite3.Connection, where: str, value: str, now: float
    ) -> tuple[Session, ...]:
        rows = db.execute(f"{sql.SELECT_SESSION} WHERE {where} ORDER BY created_at, sid", (value,))
        return tuple(
            session
            for session in map(sql.session_from, rows.fetchall())
            if session.within_limits(now) and self._covering(db, session) is None
        )
