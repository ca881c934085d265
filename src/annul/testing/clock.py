"""A clock that stands still until it is told."""

from __future__ import annotations

__all__ = ["FixedClock"]


class FixedClock:
    """A clock for everything in annul that takes one: call it for the Unix time in seconds.

    Example::

        clock = FixedClock(1_700_000_000.0)
        verifier = Verifier(jwks=jwks, policy=policy, denylist=Denylist(), clock=clock)
        clock.advance(901)  # the access token has expired
    """

    __slots__ = ("_now",)

    def __init__(self, now: float) -> None:
        self._now = now

    def __call__(self) -> float:
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by ``seconds``; a negative number sets the clock back, as real ones are."""
        self._now += seconds

    def set(self, now: float) -> None:
        """Show ``now`` from here on."""
        self._now = now

    def __repr__(self) -> str:
        return f"FixedClock({self._now!r})"
