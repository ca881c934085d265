"""Whether the lease table has been whole: every renewal is told which beat it replaces. Pure.

A waiter may count the leases instead of waiting only if none can be missing. A table that has lost
the beat that this replica wrote last has lost others as well, and its time begins anew.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from annul.replica.freshness import Moment
    from annul.stores.base import Renewal

__all__ = ["Listing"]


class Listing:
    """The beats of one lease, and since when the table has had them all."""

    def __init__(self) -> None:
        self._beat = 0
        self._epoch: int | None = None
        # What may stand in the table: the last confirmed beat, or one whose answer did not come.
        self._possible: set[int] = set()
        self._since: Moment | None = None
        self.confirmed = 0
        """The last beat that was confirmed."""

    def next_beat(self) -> int:
        """Return the beat of a renewal that is about to be written."""
        self._beat += 1
        self._possible.add(self._beat)
        return self._beat

    def renewed(self, renewal: Renewal, now: Moment) -> None:
        """Take note of what a confirmed renewal has replaced."""
        if renewal.previous not in self._possible or renewal.head.epoch != self._epoch:
            self._since = now
        self._possible = {self._beat}
        self.confirmed = self._beat
        self._epoch = renewal.head.epoch

    def broke(self) -> None:
        """Take note that the store has lost something."""
        self._since = None
        self._epoch = None

    def whole_for(self, now: Moment) -> float:
        """Return for how many seconds at least the table has been whole: the smaller advance."""
        if self._since is None:
            return 0.0
        advance = min(now.monotonic - self._since.monotonic, now.wall - self._since.wall)
        return max(0.0, advance)
