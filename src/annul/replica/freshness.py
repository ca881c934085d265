"""How long a replica may answer, and why it may not. Pure.

A replica is fresh because its own lease renewal was *started* less than Δ ago and it has read the
log up to the head seen after it. Elapsed time is the larger of the monotonic and the wall clock's
advance: a suspended machine's monotonic clock stands still, and a wall clock can be set back. Set
back far, it would even bring tokens to life again whose revocation is forgotten already, so a wall
clock before the window's beginning closes it too.
"""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from annul.core.revocation import CLOCK_SKEW

__all__ = [
    "Moment",
    "Window",
    "answers_late",
    "clocks_agree",
    "is_open",
    "never",
    "prolonged",
    "shut",
    "staleness",
    "window_from",
]


class Moment(NamedTuple):
    """One reading of both clocks, in seconds."""

    monotonic: float
    wall: float


class Window(NamedTuple):
    """When verifications may be answered, on both clocks; ``cause`` says why not otherwise."""

    monotonic_until: float
    wall_from: float
    wall_until: float
    started: Moment
    cause: str


def window_from(started: Moment, max_staleness: float) -> Window:
    """Return the window that a renewal started at ``started`` gives, once the log has been read."""
    return Window(
        started.monotonic + max_staleness,
        started.wall - CLOCK_SKEW,
        started.wall + max_staleness,
        started,
        "store_unreachable",
    )


def never(cause: str) -> Window:
    """Return the window of a replica that may not answer at all."""
    return Window(-inf, inf, -inf, Moment(-inf, -inf), cause)


def prolonged(window: Window, seconds: float) -> Window:
    """Return the window as it would be if it ended so much later. What is shut stays shut."""
    return window._replace(
        monotonic_until=window.monotonic_until + seconds,
        wall_until=window.wall_until + seconds,
    )


def shut(window: Window) -> Window:
    """Return the window closed for good, whatever the clocks will say; its age stays true."""
    return window._replace(monotonic_until=-inf, wall_until=-inf)


def is_open(window: Window, now: Moment) -> bool:
    """Whether a verification that has looked everything up by ``now`` may be answered."""
    return now.monotonic < window.monotonic_until and (
        window.wall_from <= now.wall < window.wall_until
    )


def answers_late(window: Window, accept_for: float, now: Moment) -> bool:
    """Whether a verification may be answered by way of exception: ``accept_for`` s after Δ.

    A window closed by anything but time has no such second half, and a wall clock that has fallen
    behind the other one has none either: it would bring expired tokens to life again.
    """
    behind = now.monotonic - window.started.monotonic - (now.wall - window.started.wall)
    return is_open(prolonged(window, accept_for), now) and behind <= CLOCK_SKEW


def staleness(window: Window, now: Moment) -> float:
    """Return the age of the freshness proof in seconds; infinite if there never was one."""
    return max(now.monotonic - window.started.monotonic, now.wall - window.started.wall)


def clocks_agree(store_time: float, wall: float) -> bool:
    """Whether this machine's wall clock is near enough to the store's to judge ``exp`` by it."""
    return abs(store_time - wall) <= CLOCK_SKEW
