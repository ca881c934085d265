"""What a replica counts: plain numbers for alarms and for whoever draws curves."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ReplicaCounters"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaCounters:
    """What a replica has counted since it began to follow in this process. All of it only grows.

    ``alarms``: how often the store was seen to have lost data; anything but 0 deserves a person.
    ``renewals``: lease renewals that the store has confirmed, and ``renewals_failed``: attempts to
    renew or to read that came to nothing. ``loads``: how often the whole log was read, which is
    once or twice in an ordinary life. ``offered``: entries given back to a store that had lost
    them, counted again each time. ``accepted_stale``: tokens accepted after Δ, by ``accept_for``.
    ``refused_stale``: verifications that ended in ``ReplicaStale``.

    Example: ``replica.counters.alarms``
    """

    alarms: int = 0
    renewals: int = 0
    renewals_failed: int = 0
    loads: int = 0
    offered: int = 0
    accepted_stale: int = 0
    refused_stale: int = 0
