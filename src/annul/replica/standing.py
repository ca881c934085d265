"""What a replica says of itself: how fresh it is, what it has read and trusts, what it counted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from annul.replica.freshness import is_open, staleness

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.denylist import Denylist
    from annul.core.jwks import JWKS
    from annul.core.revocation import Position, Watermark
    from annul.core.verifier import Verifier
    from annul.replica.counters import ReplicaCounters
    from annul.replica.follower import Follower
    from annul.replica.freshness import Moment
    from annul.replica.late import Late

__all__ = ["Standing"]


class Standing:
    """The part of ``Replica`` that only reports."""

    _accept_for: float
    _denylist: Denylist
    _follower: Follower
    _late: Late
    _max_staleness: float
    _now: Callable[[], Moment]
    _verifier: Verifier

    @property
    def staleness(self) -> float:
        """The age of the last freshness proof in seconds; infinite if there is none."""
        return staleness(self._follower.window, self._now())

    @property
    def fresh(self) -> bool:
        """Whether the proof of freshness holds now, so that ``verify`` answers.

        An answer by way of exception (``accept_for``) is not fresh.
        """
        return is_open(self._follower.window, self._now())

    @property
    def watermark(self) -> Watermark | None:
        """How far the log was applied, ``(epoch, seq, tag)``; ``None`` before the first load."""
        return self._denylist.watermark

    @property
    def jwks(self) -> JWKS:
        """The keys that are trusted now."""
        return self._verifier.jwks

    @property
    def keys_version(self) -> int:
        """The version of the newest keyring that was seen; it never goes back."""
        return self._follower.keys_version

    @property
    def max_staleness(self) -> float:
        """Δ in seconds."""
        return self._max_staleness

    @property
    def accept_for(self) -> float:
        """For how many seconds after Δ it answers by way of exception; 0 is never."""
        return self._accept_for

    @property
    def highest(self) -> Position:
        """The furthest position in the log that was ever seen, whatever became of it since."""
        return self._follower.highest

    @property
    def listed_for(self) -> float:
        """For how many seconds at least the store's lease table has been whole, 0 if unknown."""
        return self._follower.listed_for

    @property
    def own_lease(self) -> tuple[str, int]:
        """The id of its lease in the store, and the last beat of it that was confirmed."""
        return self._follower.own_lease

    @property
    def store_ahead(self) -> float:
        """By how many seconds the store's clock was ahead of this one at the last renewal."""
        return self._follower.store_ahead

    @property
    def alarms(self) -> int:
        """How often the store was seen to have lost data."""
        return self._follower.counters.alarms

    @property
    def accepted_stale(self) -> int:
        """How many tokens were accepted after Δ, by way of exception (``accept_for``)."""
        return self._late.accepted

    @property
    def counters(self) -> ReplicaCounters:
        """What has been counted since following began in this process."""
        return replace(
            self._follower.counters,
            accepted_stale=self._late.accepted,
            refused_stale=self._late.refused,
        )
