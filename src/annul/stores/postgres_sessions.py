"""The middle of the PostgreSQL store: writing under the lock, and all that is about sessions.

A login takes the lock that appending takes, so that nothing is pruned that covers it before it is
there. A rotation locks its own session, and the log only if it has to write to it.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from annul.core.denylist import Denylist
from annul.core.revocation import Fingerprinter, Kind, Position, Reason, Revocation
from annul.core.session import BEGINNING, Replayed, Rotated, Session, Unknown, decide
from annul.errors import StoreUnavailable
from annul.stores import postgres_safety as safety
from annul.stores import postgres_sql as statements
from annul.stores import sql
from annul.stores.base import Began, Covered, Draft
from annul.stores.postgres_errors import UNFOUNDED, Refusal, explain, is_unfounded
from annul.stores.postgres_log import PostgresLog
from annul.stores.postgres_wire import COMMIT, Statement
from annul.stores.postgres_work import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from annul.core.session import RotateOutcome
    from annul.stores.postgres_url import Address
    from annul.stores.postgres_wire import Answer, Wire

__all__ = ["PostgresSessions"]

T = TypeVar("T")

log = logging.getLogger("annul.stores")

_CHECK_EVERY = 0.5
_PAGE = 500
_LONGEST_LOOK = 600.0


class _LockWanted(Exception):
    """A rotation that turns out to write to the log."""


class PostgresSessions(PostgresLog):
    """Writes under the lock of the log, and keeps sessions."""

    def __init__(
        self, address: Address, *, issuer: str | None = None, allow_volatile: bool = False
    ) -> None:
        super().__init__(address, issuer=issuer)
        self._allow_volatile = allow_volatile
        self._fingerprint: Fingerprinter | None = None
        self._checked_at = float("-inf")

    async def begin(self, session: Session, *, floor: Position = BEGINNING) -> Began | Covered:
        fingerprint = await self._fingerprinter()

        def beginning(work: Work, answers: list[Answer]) -> Began | Covered:
            born = replace(session, since=work.position, as_of=work.position)
            covered_by = _covering(born, fingerprint, answers[0])
            if covered_by is not None:
                return Covered(covered_by)
            work.statements.append(statements.insert_session(born))
            return Began(born)

        marks = _marks([session], fingerprint)
        return await self._write(beginning, statements.covering(marks), floor=floor)

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
        fingerprint = await self._fingerprinter()
        known = await self.family(family)
        if known is None:
            return Unknown()

        def rotating(work: Work, answers: list[Answer], *, lock: bool) -> RotateOutcome:
            rows, covering = answers
            if not rows.rows:
                return Unknown()
            session = sql.session_from(rows.rows[0])
            outcome = decide(
                session,
                generation,
                covered_by=_covering(session, fingerprint, covering),
                client_id=client_id,
                jkt=jkt,
                handle_key=handle_key,
                now=now,
                grace=grace,
                as_of=as_of or work.position,
                claims=claims,
            )
            if not lock and (work.opens_epoch or isinstance(outcome, Replayed)):
                raise _LockWanted
            if isinstance(outcome, Rotated):
                # Until it is known that the answer has come, its predecessor is only a retry.
                work.statements.append(statements.advance_session(outcome.session, now))
            elif isinstance(outcome, Replayed):
                draft = Draft(
                    tag=replay_tag,
                    issuer=work.head.identity.issuer,
                    kind=Kind.SESSION,
                    fingerprint=fingerprint(Kind.SESSION, session.sid),
                    reason=Reason.REFRESH_REUSE,
                    at=now,
                    expires_at=replay_expires_at,
                    id=session.sid,
                    lasting=True,
                )
                (entry,) = work.append([draft], (), ())
                return Replayed(session, entry)
            return outcome

        asked = (
            Statement(statements.LOCK_FAMILY, (family,)),
            statements.covering(_marks([known], fingerprint)),
        )
        try:
            # Nearly all of them write to their own session only, so they need not queue up.
            outcome = await self._write(
                lambda work, answers: rotating(work, answers, lock=False),
                *asked,
                floor=floor,
                lock=False,
            )
        except _LockWanted:
            outcome = await self._write(
                lambda work, answers: rotating(work, answers, lock=True), *asked, floor=floor
            )
        if isinstance(outcome, Rotated):
            return replace(outcome, session=await self._confirm(outcome.session))
        return outcome

    async def _confirm(self, session: Session) -> Session:
        """Record that somebody has heard of this rotation, so that its predecessor's time runs."""
        confirming = Statement(statements.CONFIRM, (session.sid, session.generation))
        try:
            await self._change(statements.RELAXED, confirming)
        except StoreUnavailable:
            # The rotation itself is acknowledged. Until the successor is presented, its
            # predecessor counts as a retry, as after any outage.
            log.debug("a rotation stays unconfirmed: the store did not answer")
            return replace(session, confirmed=False)
        return replace(session, confirmed=True)

    # --- looking sessions up ----------------------------------------------------------

    async def sessions(self, subject: str, now: float) -> tuple[Session, ...]:
        found: list[Session] = []
        await self._alive(Kind.SUBJECT, subject, now, found.extend)
        return tuple(sorted(found, key=lambda session: (session.created_at, session.sid)))

    async def session(self, sid: str) -> Session | None:
        return await self._one_session("sid", sid)

    async def family(self, digest: bytes) -> Session | None:
        return await self._one_session("family", digest)

    async def count(self, kind: Kind, value: str, now: float) -> int:
        counts: list[int] = []
        if kind in sql.ENDS:
            await self._alive(kind, value, now, lambda page: counts.append(len(page)))
        return sum(counts)

    async def _one_session(self, column: str, value: str | bytes) -> Session | None:
        looked = await self._look(statements.one_session(column, value))
        if looked is None or not looked[1][0].rows:
            return None
        return sql.session_from(looked[1][0].rows[0])

    async def _alive(
        self, kind: Kind, value: str, now: float, visit: Callable[[list[Session]], None]
    ) -> None:
        """Show the live sessions that a revocation of this kind would end, page by page."""

        async def work(wire: Wire) -> None:
            timeout = self._link.address.timeout
            async with asyncio.timeout(timeout):
                _, head = await wire.exchange(statements.BEGIN_READING, statements.HEAD)
            fingerprint = Fingerprinter(self._known(head).identity.issuer)
            beyond: str | None = ""
            while beyond is not None:
                asked = statements.page_of_sessions(sql.ENDS[kind], value, beyond, _PAGE)
                async with asyncio.timeout(timeout):
                    (page,) = await wire.exchange(asked)
                    sessions = list(map(sql.session_from, page.rows))
                    marks = _marks(sessions, fingerprint)
                    (covering,) = await wire.exchange(statements.covering(marks))
                denylist = Denylist(map(sql.entry_from, covering.rows))
                visit(
                    [
                        session
                        for session in sessions
                        if session.within_limits(now)
                        and denylist.find(session.facts(fingerprint)) is None
                    ]
                )
                beyond = sessions[-1].sid if len(sessions) == _PAGE else None
            await wire.exchange(COMMIT)

        try:
            await self._link.use(work, timeout=_LONGEST_LOOK)
        except StoreUnavailable as error:
            if not is_unfounded(error):
                raise

    # --- inside -----------------------------------------------------------------------

    async def _fingerprinter(self) -> Fingerprinter:
        """Return what makes the fingerprints of this store's issuer, and learn who that is."""
        if self._fingerprint is None:
            if self._issuer is None:
                identity = await self.identity()
                if identity is None:
                    place = self._link.address.place
                    raise explain(Refusal(UNFOUNDED, ""), place)
                self._issuer = identity.issuer
            self._fingerprint = Fingerprinter(self._issuer)
        return self._fingerprint

    async def _write(
        self,
        decide: Callable[[Work, list[Answer]], T],
        *asked: Statement,
        floor: Position = BEGINNING,
        lock: bool = True,
    ) -> T:
        """Return what is decided from the answers, once it is carried out and committed.

        With the lock nothing can be appended in between. Twice a second the server is asked, in
        the same transaction, whether it is still set up to keep what it commits.
        """

        async def work(wire: Wire) -> T:
            now = asyncio.get_running_loop().time()
            must_check = not self._allow_volatile and now - self._checked_at >= _CHECK_EVERY
            first = [safety.question(self._link.address.schema)] if must_check else []
            if lock:
                last = (statements.LOCK_HEAD, statements.HIGHEST, *asked)
            else:
                last = (*asked, statements.HIGHEST, statements.HEAD_FOR_WRITING)
            _, *answers = await wire.exchange(statements.BEGIN, *first, *last)
            address = self._link.address
            if must_check:
                safety.check_durable(safety.facts_from(answers.pop(0)), address)
                self._checked_at = now
            if lock:
                head, highest, *answers = answers
            else:
                *answers, highest, head = answers
            known = self._known(head)
            if not self._allow_volatile:
                safety.check_commit(known.synchronous_commit, known.standby_names, address)
            leased = [Position(*row) for row in highest.rows]
            decided = Work(known, (floor, *leased))
            result = decide(decided, answers)
            bell = [self._ring()] if decided.rings or decided.appended else []
            await wire.exchange(*decided.statements, *bell, COMMIT)
            return result

        return await self._link.use(work)


def _marks(sessions: Sequence[Session], fingerprint: Fingerprinter) -> list[bytes]:
    """Return the fingerprints under which an entry stands that ends one of these sessions."""
    marks = {
        mark for session in sessions for mark in sql.covering_marks(session.facts(fingerprint))
    }
    return [mark for mark in marks if mark is not None]


def _covering(session: Session, fingerprint: Fingerprinter, answer: Answer) -> Revocation | None:
    entries = map(sql.entry_from, answer.rows)
    return Denylist(entries).find(session.facts(fingerprint))
