"""Why a replica may not answer, in words."""

from __future__ import annotations

from annul.errors import ReplicaStale

__all__ = ["stale"]

_CAUSES = {
    "starting": "it has not loaded the revocations yet",
    "store_unreachable": "the store has not confirmed its lease in time",
    "store_empty": "no authority has opened the store yet",
    "clock_disagrees": "this machine's clock and the store's differ by more than a minute",
    "misconfigured": "it is not set up to follow this store; see the log",
    "forked": "it is starting in this process",
    "closed": "it has been closed",
}


def stale(cause: str) -> ReplicaStale:
    """Return the error of a replica that accepts nothing now."""
    return ReplicaStale(f"this verifier accepts nothing now: {_CAUSES[cause]}", cause=cause)
