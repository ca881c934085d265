"""What a replica can be told, and what it refuses to be told."""

from __future__ import annotations

from annul.errors import Misconfigured

__all__ = ["check_accept_for", "check_horizon", "check_ready_timeout", "check_staleness"]

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


def check_accept_for(value: object, max_staleness: float) -> float:
    """Return for how many seconds after Δ to go on, or raise ``Misconfigured``."""
    most = LONGEST_STALENESS - max_staleness
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise Misconfigured(
            "accept_for must be seconds from 0, and not more than"
            f" {LONGEST_STALENESS:g} together with max_staleness"
        )
    return float(value)


def check_horizon(value: object, bound: float) -> float:
    """Return how long any verifier of a store may go on, ``bound`` if nobody says so."""
    if value is None:
        return bound
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not bound <= value <= LONGEST_STALENESS
    ):
        raise Misconfigured(
            "horizon is the most that max_staleness and accept_for of any verifier come to; here"
            f" it must be from {bound:g}, those of this one, to {LONGEST_STALENESS:g} seconds"
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
