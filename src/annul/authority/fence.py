"""The fence: when no verifier anywhere can still accept what an entry refuses.

It trusts neither the lease table nor the store's clock. A verifier that is fresh without the entry
began its renewal before the entry was appended, so it stops by itself at the latest one horizon
afterwards, and that is how long the fence waits on its own clock. It returns sooner only if every
lease in the table has applied the entry, and the table has been whole for a full horizon before
the entry: then a verifier that could still be fresh without it would stand there. What was read
is that table only if the lease of the replica beside stands in it with the very beat that was
confirmed last: a table that was lost meanwhile, or is an earlier one, does not have it.

Leases have no time-out. One that somebody has seen unchanged for longer than a horizon is of a
verifier that has stopped or refuses everything, and is removed.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from annul.core.revocation import Position
from annul.errors import NotYetConfirmed, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.revocation import RevocationReceipt
    from annul.stores.base import Lease, Store

__all__ = ["Fence", "has_applied", "safe_after"]

_DRIFT = 1.01
_MARGIN = 0.1
_FIRST_LOOK, _LONGEST_LOOK = 0.005, 0.1


def safe_after(horizon: float) -> float:
    """Return after how many seconds on one's own clock a silent verifier refuses everything.

    Two clocks may differ by a hundredth in how fast they go, and threads may be held up.
    """
    return horizon * _DRIFT + _MARGIN


def has_applied(lease: Lease, position: Position) -> bool:
    """Whether a verifier has said that it knows everything up to ``position``."""
    return lease.watermark is not None and lease.watermark.position >= position


@dataclass(slots=True)
class _Sight:
    """A lease as it was seen first with this beat."""

    beat: int
    since: float


class Fence:
    """Waits for verifiers.

    ``listed_for`` says how long the lease table has been whole, and ``own_lease`` by which lease
    that is known: its id and its last confirmed beat.
    """

    def __init__(
        self,
        store: Store,
        *,
        listed_for: Callable[[], float],
        own_lease: Callable[[], tuple[str, int]],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._listed_for = listed_for
        self._own_lease = own_lease
        self._clock = clock
        self._seen: dict[str, _Sight] = {}
        self._largest = 0.0

    def now(self) -> float:
        """Return the time by the fence's own clock."""
        return self._clock()

    async def wait(
        self, receipt: RevocationReceipt, *, began: float, timeout: float
    ) -> RevocationReceipt:
        """Return the receipt when no verifier can still accept.

        It says how many verifiers had confirmed by then, and names those that had not.
        ``began`` is the time by the fence's clock before the entry was appended. Raises
        ``NotYetConfirmed`` after ``timeout`` seconds: the entry is recorded all the same.
        """
        position = Position(receipt.epoch or 0, receipt.seq or 0)
        appended = self._clock()
        horizon = await self._horizon()
        pause = _FIRST_LOOK
        while True:
            leases = await self._store.leases()
            now = self._clock()
            laggards = tuple(lease for lease in leases if not has_applied(lease, position))
            receipt = replace(
                receipt,
                verifiers=len(leases) - len(laggards),
                waited_ms=(now - appended) * 1000,
                laggards=tuple(lease.label for lease in laggards),
            )
            # How long the table had been whole when the entry was appended.
            listed = self._listed_for() - (now - began)
            is_whole = listed >= safe_after(horizon) and self._own_lease() in {
                (lease.id, lease.beat) for lease in leases
            }
            left = appended + safe_after(horizon) - now
            if left <= 0 or (not laggards and is_whole):
                await self.expel_silent(leases, horizon)
                return receipt
            if now - appended >= timeout:
                raise NotYetConfirmed(
                    f"recorded, but {len(laggards)} verifiers may go on for {left:.1f} s more"
                    if laggards
                    else f"recorded, but verifiers may go on for {left:.1f} s more",
                    receipt=receipt,
                )
            await asyncio.sleep(min(pause, left, max(0.0, appended + timeout - now)))
            pause = min(pause * 1.5, _LONGEST_LOOK)

    async def expel_silent(self, leases: tuple[Lease, ...], horizon: float) -> None:
        """Remove leases that have stood unchanged for longer than their verifiers could answer."""
        now = self._clock()
        # Kept by name as well: another sweep may begin while this one waits for the store.
        seen = self._seen = {
            lease.id: sight
            if (sight := self._seen.get(lease.id)) is not None and sight.beat == lease.beat
            else _Sight(lease.beat, now)
            for lease in leases
        }
        for lease in leases:
            if now - seen[lease.id].since > safe_after(max(horizon, lease.max_staleness)):
                await self._store.expel(lease)

    async def sweep(self) -> None:
        """Remove the leases that have been silent for long enough."""
        await self.expel_silent(await self._store.leases(), await self._horizon())

    async def _horizon(self) -> float:
        # Read after the entry was appended: a verifier that was opened with more came later.
        identity = await self._store.identity()
        if identity is None:
            raise StoreUnavailable("the store has been emptied meanwhile; revoke again")
        # A backup may say less than verifiers were allowed since it was made.
        self._largest = max(self._largest, identity.horizon)
        return self._largest
