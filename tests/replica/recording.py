"""A reader that notes what is asked of a store, and can be kept from reaching it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annul.errors import StoreUnavailable
from annul.stores.base import LogReader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annul.core.revocation import Position, Revocation, Watermark
    from annul.stores.base import Diverged, Identity, Lease, PublishedKeys, Renewal, Snapshot

__all__ = ["Recording"]


class Recording(LogReader):
    """Passes everything on to a real reader; ``asked`` has the names of the verbs."""

    def __init__(self, reader: LogReader, asked: list[str], away: set[str]) -> None:
        self._reader = reader
        self._asked = asked
        self._away = away

    def _ask(self, verb: str) -> LogReader:
        self._asked.append(verb)
        if verb in self._away:
            raise StoreUnavailable("kept away")
        return self._reader

    async def identity(self) -> Identity | None:
        return await self._ask("identity").identity()

    async def renew(self, lease: Lease) -> Renewal | None:
        return await self._ask("renew").renew(lease)

    async def release(self, lease_id: str) -> None:
        await self._ask("release").release(lease_id)

    async def offer(self, entries: Sequence[Revocation]) -> None:
        await self._ask("offer").offer(entries)

    async def changes(
        self, after: Watermark, limit: int = 1000
    ) -> tuple[Revocation, ...] | Diverged:
        return await self._ask("changes").changes(after, limit)

    async def snapshot(self) -> Snapshot:
        return await self._ask("snapshot").snapshot()

    async def page(self, after: Position, limit: int = 1000) -> Snapshot:
        return await self._ask("snapshot").page(after, limit)  # a part of one

    async def published_keys(self) -> PublishedKeys:
        return await self._ask("published_keys").published_keys()

    async def wait(self, timeout: float) -> None:
        await self._reader.wait(timeout)

    async def close(self) -> None:
        await self._reader.close()
