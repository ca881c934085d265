"""The store in one PostgreSQL database (14 or newer), or in one schema of it.

An acknowledgement means: the server has answered COMMIT, without a warning, in a session with
``synchronous_commit = on``, so it has flushed the commit to its disk (``fsync``,
``full_page_writes``), and to that of every standby (``synchronous_standby_names``), or of as many
as the deployer has promised to be enough; see ``postgres_standbys``. ``found`` refuses a server
that is set up otherwise, and later writes notice within half a second if that is changed.

A standby that was promoted opens a new epoch with its first write, because the one before it may
have given out positions that it does not know of. Leases are renewed by the same kind of commit: a
primary that its standbys have left can confirm none.

``seq`` is in commit order because it is counted in the one row of ``identity``: whoever appends
has locked that row (``FOR UPDATE``), and a lock is let go only after the commit can be seen. So
the next one reads a head that everybody can read, and whoever sees entry n sees every entry
before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from annul.core.claims import Clock, system_clock
from annul.core.session import BEGINNING
from annul.stores import postgres_safety as safety
from annul.stores import postgres_schema as schema
from annul.stores import postgres_sql as statements
from annul.stores import sql
from annul.stores.base import Appended, Draft, Identity, Lease, Store, StoredRing
from annul.stores.postgres_sessions import PostgresSessions
from annul.stores.postgres_url import address_from_url
from annul.stores.postgres_wire import COMMIT, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annul.core.revocation import Position, Revocation
    from annul.stores.postgres_wire import Answer, Wire
    from annul.stores.postgres_work import Work

__all__ = ["PostgresStore", "from_url"]

_MANY = 200
_PRUNED_AT_ONCE = 100


def from_url(
    url: str,
    *,
    issuer: str | None,
    allow_volatile: bool = False,
    clock: Clock = system_clock,
) -> PostgresStore:
    """Return the store at ``postgresql://host/database``; see ``address_from_url``."""
    del clock  # the server has one of its own, and that is store time
    return PostgresStore(address_from_url(url), issuer=issuer, allow_volatile=allow_volatile)


class PostgresStore(PostgresSessions, Store):
    """The store in one PostgreSQL database, for an authority."""

    async def found(self, identity: Identity, now: float) -> Identity:
        address = self._link.address

        async def work(wire: Wire) -> Identity:
            (answer,) = await wire.exchange(safety.question(address.schema))
            facts = safety.facts_from(answer)
            safety.check_usable(facts, address.place)
            safety.check_place(facts.search_path, address.schema, address.place)
            if not self._allow_volatile:
                safety.check_durable(facts, address)
            return await schema.found(wire, address, identity, now)

        return await self._link.use(work)

    async def append(self, drafts: Sequence[Draft], *, floor: Position = BEGINNING) -> Appended:
        tags = [draft.tag for draft in drafts]
        lifted = [draft.fingerprint for draft in drafts if draft.lifts_all]

        def appending(work: Work, answers: list[Answer]) -> Appended:
            known, standing = (map(sql.entry_from, answer.rows) for answer in answers)
            return Appended(work.append(drafts, known, standing))

        return await self._write(
            appending, statements.by_tags(tags), statements.covering(lifted), floor=floor
        )

    # --- leases and offers ------------------------------------------------------------

    async def expel(self, lease: Lease) -> None:
        await self._change(Statement(statements.EXPEL, (lease.id, lease.beat)))

    async def offers(self) -> tuple[Revocation, ...]:
        looked = await self._look(statements.OFFERS)
        return () if looked is None else tuple(map(sql.entry_from, looked[1][0].rows))

    async def settle(self, offers: Sequence[Revocation]) -> None:
        await self._change(Statement(statements.SETTLE, ([entry.tag for entry in offers],)))

    # --- keys and housekeeping --------------------------------------------------------

    async def ring(self) -> StoredRing | None:
        looked = await self._look(statements.RING)
        if looked is None:
            return None
        version, ring, jwks = looked[1][0].rows[0]
        return StoredRing(version, ring, jwks) if version else None

    async def swap_ring(self, expected: int, ring: StoredRing) -> bool:
        def swapping(work: Work, _answers: list[Answer]) -> bool:
            if work.head.keys_version != expected:
                return False
            work.do(statements.SWAP_RING, ring.version, ring.ring, ring.jwks)
            work.rings = True
            return True

        return await self._write(swapping)

    async def prune(self, now: float) -> int:
        # In short transactions, because nobody can append meanwhile.
        async def over(wire: Wire) -> int:
            _, head = await wire.exchange(statements.BEGIN, statements.LOCK_HEAD)
            self._known(head)
            _, ended, _ = await wire.exchange(
                Statement(statements.MOVE_TIME, (now,)),
                Statement(statements.DELETE_ENDED, (_MANY,)),
                COMMIT,
            )
            return ended.touched

        while await self._link.use(over) == _MANY:
            pass
        gone, more = 0, True
        while more:
            dropped, more = await self._link.use(self._drop_expired)
            gone += dropped
        return gone

    async def _drop_expired(self, wire: Wire) -> tuple[int, bool]:
        """Drop some entries and what they cover; say how many, and whether there may be more."""
        _, answer, found = await wire.exchange(
            statements.BEGIN,
            statements.LOCK_HEAD,
            Statement(statements.EXPIRED, (_PRUNED_AT_ONCE,)),
        )
        head = self._known(answer)
        entries = list(map(sql.entry_from, found.rows))
        ending = [
            entry
            for entry in entries
            if entry.kind in sql.ENDS and entry.issuer == head.identity.issuer
        ]
        deleted = await wire.exchange(
            *(statements.delete_covered(entry, sql.ENDS[entry.kind], _MANY) for entry in ending)
        )
        # An entry stays for another round until nothing is left that it covers.
        busy = {
            entry.tag for entry, done in zip(ending, deleted, strict=True) if done.touched == _MANY
        }
        gone = [entry for entry in entries if entry.tag not in busy]
        of_now = [e.position.seq for e in gone if e.position.epoch == head.position.epoch]
        await wire.exchange(
            Statement(statements.FORGET, ([entry.tag for entry in gone],)),
            Statement(statements.MOVE_PRUNED, (max(of_now, default=0),)),
            COMMIT,
        )
        return len(gone), bool(entries)
