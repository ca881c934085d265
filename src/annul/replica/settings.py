"""What a replica can be told, and what it refuses to be told."""

from __future__ import annotations

from annul.errors import Misconfigured

__all__ = ["check_ready_timeout", "check_staleness"]

SHORTEST_STALENESS = 0.1
LONGEST_STALENESS = 3600.0
LONGEST_WAIT = 86_400.0


def check_staleness(value: object) -> float:
    """Return Δ in seconds, or raise ``Misconfigured``."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not SHORTEST_STALENESS <= value <= LONGEST_STALENESS
    ):
        raise Misconfigured(
            f"max_staleness must be from {SHORTEST_STALENESS} to {LONGEST_STALENESS:g} seconds"
        )
    return float(value)


def check_ready_timeout(value: object) -> float:
    """Return how long to wait for the first load, in seconds, or raise ``Misconfigured``."""
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not 0 <= value <= LONGEST_WAIT
    ):
        raise Misconfigured(f"ready_timeout must be from 0 to {LONGEST_WAIT:g} seconds")
    return float(value)
