"""The reading half of the PostgreSQL store: what a replica needs.

What its user must be allowed is in ``postgres_schema.replica_grants``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from annul.core.revocation import Revocation, Watermark
from annul.errors import StoreUnavailable, WrongStore
from annul.stores import postgres_sql as statements
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
from annul.stores.postgres_errors import UNFOUNDED, Refusal, is_unfounded
from annul.stores.postgres_link import Link, channel
from annul.stores.postgres_safety import check_place, check_renewal
from annul.stores.postgres_schema import EMPTY_JWKS, SCHEMA_VERSION, check_version
from annul.stores.postgres_wire import COMMIT, Statement

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annul.core.revocation import Position
    from annul.stores.postgres_sql import Head
    from annul.stores.postgres_url import Address
    from annul.stores.postgres_wire import Answer, Wire

__all__ = ["PostgresLog"]

_PAGE = 2000
_LONGEST_LOAD = 600.0


class PostgresLog(LogReader):
    """Reads the log in PostgreSQL, and writes nothing but its own lease and offers."""

    def __init__(self, address: Address, *, issuer: str | None = None) -> None:
        self._link = Link(address)
        self._issuer = issuer

    # --- reading the log --------------------------------------------------------------

    async def identity(self) -> Identity | None:
        looked = await self._look()
        return None if looked is None else looked[0].identity

    async def renew(self, lease: Lease) -> Renewal | None:
        values = (*sql.lease_row(lease), self._issuer, SCHEMA_VERSION)
        renewing = Statement(statements.RENEW, values)

        async def work(wire: Wire) -> tuple[Head, Answer]:
            # The head is read after the commit. Read before, an entry could come in between that
            # neither this reader knows, nor an authority that looks for readers without it.
            _, renewed, _, head = await wire.exchange(
                statements.BEGIN, renewing, COMMIT, statements.HEAD
            )
            known = self._known(head)
            if renewed.rows:
                _, synchronous_commit, standby_names = renewed.rows[0]
                check_renewal(synchronous_commit, standby_names, self._link.address)
            return known, renewed

        try:
            head, renewed = await self._link.use(work)
        except StoreUnavailable as error:
            if not is_unfounded(error):
                raise
            return None
        if not renewed.rows:
            return None  # it was founded between the two
        return Renewal(
            head=Watermark(*head.position, head.tag),
            store_time=head.now,
            keys_version=head.keys_version,
            horizon=head.identity.horizon,
            lineage=head.identity.lineage,
            previous=renewed.rows[0][0],
        )

    async def release(self, lease_id: str) -> None:
        await self._change(Statement(statements.RELEASE, (lease_id,)))

    async def leases(self) -> tuple[Lease, ...]:
        looked = await self._look(statements.LEASES)
        return () if looked is None else tuple(map(sql.lease_from, looked[1][0].rows))

    async def offer(self, entries: Sequence[Revocation]) -> None:
        schema = self._link.address.schema

        async def work(wire: Wire) -> None:
            _, head, _, held = await wire.exchange(
                statements.BEGIN,
                statements.HEAD,
                Statement(statements.ONE_OFFERER, (schema,)),
                statements.COUNT_OFFERS,
            )
            self._known(head)
            room = max(0, MOST_OFFERS - held.rows[0][0])
            laid = map(statements.insert_offer, entries[:room])
            await wire.exchange(*laid, self._ring(), COMMIT)

        await self._link.use(work)

    async def changes(
        self, after: Watermark, limit: int = 1000
    ) -> tuple[Revocation, ...] | Diverged:
        looked = await self._look(
            statements.by_tags([after.tag]), statements.after(after.position, limit)
        )
        if looked is None:
            return Diverged(pruned=False)
        head, (same, news) = looked
        at_genesis = after == (head.position.epoch, 0, head.genesis)
        if after.seq == 0 and not head.pruned:
            is_known = at_genesis
        else:
            is_known = any(sql.entry_from(row).watermark == after for row in same.rows)
        if is_known:
            return tuple(map(sql.entry_from, news.rows))
        of_now = after.epoch == head.position.epoch
        return Diverged(pruned=at_genesis or (of_now and 0 < after.seq <= head.pruned))

    async def snapshot(self) -> Snapshot:
        # In pages of one and the same moment, so that no answer takes long.
        async def work(wire: Wire) -> Snapshot:
            timeout = self._link.address.timeout
            async with asyncio.timeout(timeout):
                _, answer = await wire.exchange(statements.BEGIN_READING, statements.HEAD)
            head = self._known(answer)
            entries: list[Revocation] = []
            beyond = statements.NOWHERE
            while True:
                async with asyncio.timeout(timeout):
                    (page,) = await wire.exchange(statements.after(beyond, _PAGE))
                entries += map(sql.entry_from, page.rows)
                if len(page.rows) < _PAGE:
                    break
                beyond = entries[-1].position
            async with asyncio.timeout(timeout):
                await wire.exchange(COMMIT)
            return Snapshot(tuple(entries), Watermark(*head.position, head.tag))

        try:
            return await self._link.use(work, timeout=_LONGEST_LOAD)
        except StoreUnavailable as error:
            if not is_unfounded(error):
                raise
            return Snapshot((), Watermark(0, 0, b""))

    async def page(self, after: Position, limit: int = 1000) -> Snapshot:
        looked = await self._look(statements.after(after, limit))
        if looked is None:
            return Snapshot((), Watermark(0, 0, b""))
        head, (found,) = looked
        entries = tuple(map(sql.entry_from, found.rows))
        return Snapshot(entries, Watermark(*head.position, head.tag))

    async def published_keys(self) -> PublishedKeys:
        looked = await self._look(statements.KEYS)
        return PublishedKeys(0, EMPTY_JWKS) if looked is None else PublishedKeys(*_row(looked[1]))

    async def wait(self, timeout: float) -> None:
        await self._link.wait(timeout)

    async def close(self) -> None:
        await self._link.close()

    # --- inside -----------------------------------------------------------------------

    async def _look(self, *asked: Statement) -> tuple[Head, list[Answer]] | None:
        """Return the head and what is asked, of one moment; ``None`` before founding."""

        async def work(wire: Wire) -> tuple[Head, list[Answer]]:
            _, head, *answers, _ = await wire.exchange(
                statements.BEGIN_READING, statements.HEAD, *asked, COMMIT
            )
            return self._known(head), answers

        try:
            return await self._link.use(work)
        except StoreUnavailable as error:
            if not is_unfounded(error):
                raise
            return None

    async def _change(self, *changes: Statement) -> None:
        """Carry out changes that need no decision."""

        async def work(wire: Wire) -> None:
            _, head = await wire.exchange(statements.BEGIN, statements.HEAD)
            self._known(head)
            await wire.exchange(*changes, COMMIT)

        await self._link.use(work)

    def _known(self, answer: Answer) -> Head:
        """Return the head if the store is founded, and is the one that is meant."""
        place = self._link.address.place
        if not answer.rows:
            raise Refusal(UNFOUNDED, "")
        head = statements.head_from(answer.rows[0])
        check_place(head.search_path, self._link.address.schema, place)
        check_version(head.schema_version, place)
        if self._issuer is not None and head.identity.issuer != self._issuer:
            raise WrongStore(
                f"this schema at {place} belongs to another issuer; add ?schema=name to the URL"
            )
        return head

    def _ring(self) -> Statement:
        """Return the statement that wakes whoever waits, once it is committed."""
        return Statement("SELECT pg_notify($1, '')", (channel(self._link.address),))


def _row(answers: list[Answer]) -> tuple[int, str]:
    ((row,),) = [answer.rows for answer in answers]
    return row[0], row[1]
