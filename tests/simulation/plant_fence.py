"""Planted bugs in the fence, which has to know when no verifier can still accept."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any

import annul.authority.fence as fencing
from annul.authority.fence import Fence
from annul.errors import AnnulError
from annul.replica.follower import Follower
from annul.replica.listing import Listing
from tests.simulation.edges import wall
from tests.simulation.planted import bug, swap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annul.core.revocation import Position, Watermark
    from annul.replica.freshness import Moment
    from annul.stores.base import Lease, LogReader, Renewal
    from tests.simulation.virtual_time import World


def _made_with(**other: Any) -> Any:  # noqa: ANN401 - a patch
    init = Fence.__init__

    def made(self: Fence, store: Any, **options: Any) -> None:  # noqa: ANN401 - those of Fence
        init(self, store, **(options | other))

    return swap(Fence, "__init__", made)


@bug
def young_lease_table_trusted(_world: World) -> Iterator[None]:
    """All leases have applied the entry, but the table is so young that some may be missing."""
    with _made_with(listed_for=lambda: inf):
        yield


@bug
def laggards_ignored(_world: World) -> Iterator[None]:
    """Whoever has not applied the entry is not waited for."""

    def anything(_lease: Lease, _position: Position) -> bool:
        return True

    with swap(fencing, "has_applied", anything):
        yield


@bug
def fence_by_a_wall_clock(_world: World) -> Iterator[None]:
    """The fence waits by a clock that can be set forward."""
    with _made_with(clock=wall):
        yield


@bug
def fence_for_its_own_horizon(_world: World) -> Iterator[None]:
    """The fence waits a Δ of its own, and other verifiers have a longer one."""

    async def short(_self: Fence) -> float:
        return 0.25

    with swap(Fence, "_horizon", short):
        yield


@bug
def expelled_too_soon(_world: World) -> Iterator[None]:
    """A lease is removed after a moment's silence, while its verifier still answers."""
    expel_silent = Fence.expel_silent

    async def hasty(self: Fence, leases: tuple[Lease, ...], horizon: float) -> None:
        for lease in leases:
            sight = self._seen.get(lease.id)
            if sight is not None and sight.beat == lease.beat:
                await self._store.expel(lease)
        await expel_silent(self, leases, horizon)

    with swap(Fence, "expel_silent", hasty):
        yield


@bug
def lease_promises_too_much(_world: World) -> Iterator[None]:
    """A lease names the head that the replica has seen, not what it has applied."""
    lease, check = Follower._lease, Follower._check
    heads: dict[Follower, Watermark] = {}

    def note(self: Follower, renewal: Renewal) -> None:
        heads[self] = renewal.head
        check(self, renewal)

    def promise(self: Follower) -> Lease:
        honest = lease(self)
        head = heads.get(self)
        if head is None:
            return honest
        # Read again every time it renews, so the next few are as good as there.
        return replace(honest, watermark=head._replace(seq=head.seq + 3))

    with swap(Follower, "_check", note), swap(Follower, "_lease", promise):
        yield


@bug
def released_while_it_answers(_world: World) -> Iterator[None]:
    """A replica that has lost its store takes its lease away, and answers until its window ends."""

    async def leave(self: Follower, reader: LogReader) -> None:
        with contextlib.suppress(AnnulError):
            await reader.release(self._lease_id)

    with swap(Follower, "_leave", leave):
        yield


@bug
def lost_leases_unnoticed(_world: World) -> Iterator[None]:
    """A replica does not look which beat its renewal has replaced: the table seems whole."""
    renewed = Listing.renewed

    def first_only(self: Listing, renewal: Renewal, now: Moment) -> None:
        since = self._since
        renewed(self, renewal, now)
        if since is not None:
            self._since = since

    def unbroken(_self: Listing) -> None:
        pass

    with swap(Listing, "renewed", first_only), swap(Listing, "broke", unbroken):
        yield
