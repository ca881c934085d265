"""A handle on the simulated store, as every process has one: the real Protocol, over a ``Link``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from annul.core.session import BEGINNING
from annul.stores.base import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping, Sequence

    from annul.core.revocation import Kind, Position, Revocation, Watermark
    from annul.core.session import RotateOutcome, Session
    from annul.stores.base import (
        Appended,
        Began,
        Covered,
        Diverged,
        Draft,
        Identity,
        Lease,
        PublishedKeys,
        Renewal,
        Snapshot,
        StoredRing,
    )
    from tests.simulation.network import Link
    from tests.simulation.store_model import Node, StoreModel
    from tests.simulation.virtual_time import Process

T = TypeVar("T")


class ClientStore(Store):
    """What ``open_store`` would give a process."""

    def __init__(self, process: Process, link: Link, model: StoreModel) -> None:
        self.process = process
        self.link = link
        self.model = model
        self.proofs: list[tuple[float, float]] = []
        """When, in true time, each confirmed renewal was started and answered."""

    async def _read(self, verb: Callable[[Node], Coroutine[Any, Any, T]]) -> T:
        return await self.link.ask(lambda: self.model.read(self.process, verb))

    async def _write(
        self,
        verb: Callable[[Node], Coroutine[Any, Any, T]],
        *,
        repeatable: bool = False,
        seen: Position = BEGINNING,
    ) -> T:
        def request() -> T:
            self.model.hear(self.process, seen)
            return self.model.write(self.process, verb)

        return await self.link.ask(request, repeatable=repeatable)

    # --- what replicas may do ---------------------------------------------------------

    async def identity(self) -> Identity | None:
        return await self._read(lambda node: node.identity())

    async def renew(self, lease: Lease) -> Renewal | None:
        started = self.process.world.now

        def request() -> tuple[Renewal | None, bool]:
            self.model.hear(self.process, lease.highest)
            return self.model.renew(self.process, lambda node: node.renew(lease))

        answer, counts = await self.link.ask(request, repeatable=True)
        if counts and answer is not None:
            self.proofs.append((started, self.process.world.now))
        return answer

    async def release(self, lease_id: str) -> None:
        await self._write(lambda node: node.release(lease_id))

    async def offer(self, entries: Sequence[Revocation]) -> None:
        await self._write(lambda node: node.offer(entries), repeatable=True)

    async def changes(
        self, after: Watermark, limit: int = 1000
    ) -> tuple[Revocation, ...] | Diverged:
        return await self._read(lambda node: node.changes(after, limit))

    async def snapshot(self) -> Snapshot:
        return await self._read(lambda node: node.snapshot())

    async def page(self, after: Position, limit: int = 1000) -> Snapshot:
        return await self._read(lambda node: node.page(after, limit))

    async def published_keys(self) -> PublishedKeys:
        return await self._read(lambda node: node.published_keys())

    async def wait(self, timeout: float) -> None:
        rung = asyncio.Event()

        def arrive() -> None:
            if not self.process.dead:
                rung.set()
                self.process.look()

        def bell() -> None:
            if not self.link.deaf:
                self.process.world.after(self.link.how_long(), arrive)

        if not self.model.down:
            self.model.bells[bell] = self.model.node_of(self.process)
        try:
            async with asyncio.timeout(timeout):
                await rung.wait()
        except TimeoutError:
            return
        finally:
            self.model.bells.pop(bell, None)

    async def close(self) -> None:
        pass

    # --- what authorities may do besides ----------------------------------------------

    async def found(self, identity: Identity, now: float) -> Identity:
        return await self._write(lambda node: node.found(identity, now))

    async def append(self, drafts: Sequence[Draft], *, floor: Position = BEGINNING) -> Appended:
        return await self._write(
            lambda node: node.append(drafts, floor=floor), repeatable=True, seen=floor
        )

    async def begin(self, session: Session, *, floor: Position = BEGINNING) -> Began | Covered:
        return await self._write(lambda node: node.begin(session, floor=floor), seen=floor)

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
        def verb(node: Node) -> Coroutine[Any, Any, RotateOutcome]:
            return node.rotate(
                family,
                generation,
                client_id=client_id,
                jkt=jkt,
                handle_key=handle_key,
                now=now,
                grace=grace,
                replay_tag=replay_tag,
                replay_expires_at=replay_expires_at,
                floor=floor,
                claims=claims,
                as_of=as_of,
            )

        def request() -> RotateOutcome:
            self.model.hear(self.process, floor)
            return self.model.rotate(self.process, verb)

        return await self.link.ask(request)

    async def sessions(self, subject: str, now: float) -> tuple[Session, ...]:
        return await self._read(lambda node: node.sessions(subject, now))

    async def session(self, sid: str) -> Session | None:
        return await self._read(lambda node: node.session(sid))

    async def family(self, digest: bytes) -> Session | None:
        return await self._read(lambda node: node.family(digest))

    async def count(self, kind: Kind, value: str, now: float) -> int:
        return await self._read(lambda node: node.count(kind, value, now))

    async def ring(self) -> StoredRing | None:
        return await self._read(lambda node: node.ring())

    async def swap_ring(self, expected: int, ring: StoredRing) -> bool:
        return await self.link.ask(lambda: self.model.swap_ring(self.process, expected, ring))

    async def leases(self) -> tuple[Lease, ...]:
        return await self._read(lambda node: node.leases())

    async def expel(self, lease: Lease) -> None:
        await self._write(lambda node: node.expel(lease), repeatable=True)

    async def offers(self) -> tuple[Revocation, ...]:
        return await self._read(lambda node: node.offers())

    async def settle(self, offers: Sequence[Revocation]) -> None:
        await self._write(lambda node: node.settle(offers), repeatable=True)

    async def prune(self, now: float) -> int:
        return await self._write(lambda node: node.prune(now))
