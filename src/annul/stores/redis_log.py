"""The reading half of the Redis store: what a replica needs.

What its user must be allowed is in ``redis_grants.replica_rules``.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from annul.core.revocation import Revocation, Watermark
from annul.errors import StoreUnavailable
from annul.stores import redis_rows as rows
from annul.stores import redis_scripts as scripts
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
from annul.stores.redis_copies import Copies
from annul.stores.redis_errors import refusal
from annul.stores.redis_link import Link

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annul.core.revocation import Position
    from annul.stores.redis_lane import Command
    from annul.stores.redis_url import Address

__all__ = ["RedisLog"]

_PAGE = 2000
_LONGEST_BLOCK = 1.0


class RedisLog(LogReader):
    """Reads the log in Redis, and writes nothing but its own lease."""

    def __init__(self, address: Address, *, issuer: str | None = None) -> None:
        self._link = Link(address)
        self._issuer = issuer
        self._heard = b"0-0"
        self._copies = Copies(address.nodes or 1)

    # --- reading the log --------------------------------------------------------------

    async def identity(self) -> Identity | None:
        names = ("issuer", "lineage", "horizon", "longest_token", "longest_session")
        meta, _ = await self._look(names)
        return None if meta is None else rows.identity_from(meta)

    async def renew(self, lease: Lease) -> Renewal | None:
        answer = await self._renewed(
            self._issuer or "",
            self._key("meta"),
            lease.id,
            rows.lease_text(lease),
            rows.id_of(lease.highest),
        )
        if answer is None:
            return None
        epoch, seq, tag, now, keys_version, horizon, lineage, previous, _ = answer
        return Renewal(
            head=_watermark(epoch, seq, tag),
            store_time=float(now),
            keys_version=int(keys_version),
            horizon=float(horizon),
            lineage=lineage.decode(),
            previous=None if previous is None else int(previous),
        )

    async def _renewed(self, *arguments: str) -> list[Any] | None:
        """Return what a renewal answers, once most of the nodes that keep the store have it."""
        address = self._link.address
        while True:
            copies = self._copies
            wait = copies.for_most(int(address.timeout * 750))  # in time for the answer to come
            answer, *counted = self._link.checked(
                await self._link.call_and(scripts.RENEW, arguments, wait)
            )
            if answer is None:
                return None
            if (nodes := int(answer[-1])) > 1 and not address.via:
                raise refusal("SEVERALNODES", address.place)
            if nodes > copies.nodes:
                # It was not known how many there are; a renewal repeated is a renewal.
                self._copies = Copies(nodes)
                continue
            try:
                copies.check_most(counted, address.place)
            except StoreUnavailable:
                # This may be a primary that has been replaced and cut off from the others.
                self._link.forget()
                raise
            return list(answer)

    async def release(self, lease_id: str) -> None:
        await self._link.send(("HDEL", self._key("leases"), lease_id))

    async def leases(self) -> tuple[Lease, ...]:
        (table,) = await self._read(("HVALS", self._key("leases")))
        return tuple(sorted(map(rows.lease_from, table), key=lambda lease: lease.id))

    async def offer(self, entries: Sequence[Revocation]) -> None:
        for begin in range(0, len(entries), _PAGE):
            lines = [
                text
                for entry in entries[begin : begin + _PAGE]
                for text in (entry.tag.hex(), rows.offer_line(entry))
            ]
            await self._link.call(scripts.OFFER, str(MOST_OFFERS), *lines)

    async def changes(
        self, after: Watermark, limit: int = 1000
    ) -> tuple[Revocation, ...] | Diverged:
        begin = f"{after.epoch}-{after.seq}"
        meta, (found,) = await self._look(
            ("epoch", "genesis", "pruned"),
            ("XRANGE", self._key("log"), begin, "+", "COUNT", limit + 1),
        )
        if meta is None:
            return Diverged(pruned=False)
        epoch, pruned = int(meta[0]), int(meta[2])
        entries = _entries(found)
        if after == (epoch, 0, _unhex(meta[1])) and not pruned:
            return entries[:limit]
        if entries and entries[0].watermark == after:
            return entries[1:]
        return Diverged(pruned=after.epoch == epoch and pruned > 0 and after.seq <= pruned)

    async def snapshot(self) -> Snapshot:
        # In pages, since one answer with a million entries would hold up everybody else. Entries
        # never change, so what stands below the first head is one moment's log, except for what
        # is pruned meanwhile and has expired anyway.
        meta, _ = await self._look(("lineage", "epoch", "seq", "tag"))
        if meta is None:
            return Snapshot((), Watermark(0, 0, b""))
        head = _watermark(*meta[1:])
        entries: list[Revocation] = []
        begin = "-"
        while True:
            again, (found,) = await self._look(
                ("lineage", "epoch"),
                ("XRANGE", self._key("log"), begin, f"{head.epoch}-{head.seq}", "COUNT", _PAGE),
            )
            if again != meta[:2]:
                raise StoreUnavailable("the store was founded anew while it was being read")
            entries += _entries(found)
            if len(found) < _PAGE:
                return Snapshot(tuple(entries), head)
            begin = f"({found[-1][0].decode()}"

    async def page(self, after: Position, limit: int = 1000) -> Snapshot:
        begin = f"({after.epoch}-{after.seq}"
        founded, (head, found) = await self._look(
            (),
            # The head first: an entry that comes in between belongs to the next page.
            ("HMGET", self._key("meta"), "epoch", "seq", "tag"),
            ("XRANGE", self._key("log"), begin, "+", "COUNT", limit),
        )
        if founded is None or None in head:
            return Snapshot((), Watermark(0, 0, b""))
        return Snapshot(_entries(found), _watermark(*head))

    async def published_keys(self) -> PublishedKeys:
        meta, _ = await self._look(("keys", "jwks"))
        if meta is None:
            return PublishedKeys(0, '{"keys":[]}')
        return PublishedKeys(int(meta[0]), meta[1].decode())

    async def wait(self, timeout: float) -> None:
        # The bell's id is remembered, so a ring between two waits is heard by the second. Short
        # waits in the server, since only an answer shows that the connection is still alive.
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while (left := deadline - loop.time()) > 0:
            block = min(left, _LONGEST_BLOCK)
            milliseconds = max(1, int(block * 1000))  # 0 would be for ever
            heard = await self._link.listen(
                ("XREAD", "BLOCK", milliseconds, "STREAMS", self._key("bell"), self._heard),
                block,
            )
            if heard:
                self._heard = heard[0][1][-1][0]
                return

    async def close(self) -> None:
        await self._link.close()

    # --- inside -----------------------------------------------------------------------

    def _key(self, name: str) -> str:
        return scripts.key(self._link.address.prefix, name)

    async def _look(
        self, names: tuple[str, ...], *commands: Command
    ) -> tuple[list[bytes] | None, list[Any]]:
        """Return these fields of ``meta`` (``None`` before founding) and what commands answer.

        ``meta`` is read after the commands have run. Raises ``WrongStore`` if the store is not
        for us.
        """
        *answers, meta = await self._link.send(
            *commands, ("HMGET", self._key("meta"), "schema", "issuer", *names)
        )
        schema, issuer, *fields = meta
        if issuer is None:
            return None, answers
        place = self._link.address.place
        if schema.decode() != scripts.SCHEMA:
            raise refusal("OTHERSCHEMA", place)
        if self._issuer is not None and issuer.decode() != self._issuer:
            raise refusal("OTHERISSUER", place)
        return fields, answers

    async def _read(self, *commands: Command) -> list[Any]:
        """Return what commands answer; a store that is not there is not an empty one."""
        meta, answers = await self._look((), *commands)
        if meta is None:
            raise refusal("UNFOUNDED", self._link.address.place)
        return answers


def _entries(found: list[list[Any]]) -> tuple[Revocation, ...]:
    return tuple(rows.entry_from(id_, text) for id_, (_, text) in found)


def _watermark(epoch: bytes, seq: bytes, tag: bytes) -> Watermark:
    return Watermark(int(epoch), int(seq), _unhex(tag))


def _unhex(text: bytes) -> bytes:
    return bytes.fromhex(text.decode())
