"""Planted bugs in how a replica proves that it is fresh."""

from __future__ import annotations

from collections import defaultdict
from math import inf
from typing import TYPE_CHECKING, Any

import annul.replica.follower as following
from annul.replica.follower import Follower
from annul.replica.freshness import Moment, Window, is_open, window_from
from tests.simulation.edges import SimulatedReplica
from tests.simulation.planted import bug, swap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annul.core.claims import VerifiedToken
    from annul.replica.freshness import Moment as AnyMoment
    from annul.stores.base import Lease, LogReader, Renewal
    from tests.simulation.virtual_time import Machine, World


@bug
def window_before_log(_world: World) -> Iterator[None]:
    """The window is published when the renewal is confirmed, before the log has been read."""
    lease, check = Follower._lease, Follower._check
    started: dict[Follower, Moment] = {}

    def note(self: Follower) -> Lease:
        started[self] = self._now()
        return lease(self)

    def publish(self: Follower, renewal: Renewal) -> None:
        check(self, renewal)
        self._publish(started[self], renewal)

    with swap(Follower, "_lease", note), swap(Follower, "_check", publish):
        yield


@bug
def clocks_before_lookups(_world: World) -> Iterator[None]:
    """The clocks are read first: a thread that is held up then answers from long ago."""

    def verify(self: SimulatedReplica, token: str, binding: None = None) -> VerifiedToken:
        if is_open(self._follower.window, Moment(self._monotonic(), self._wall())):
            return self._verifier.verify(token, binding)
        return self._verify_stale(token, binding)

    with swap(SimulatedReplica, "verify", verify):
        yield


@bug
def window_taken_last(_world: World) -> Iterator[None]:
    """The window is read after the look-ups: it may vouch for entries that came after them."""

    def verify(self: SimulatedReplica, token: str, binding: None = None) -> VerifiedToken:
        verified = self._verifier.verify(token, binding)
        if is_open(self._follower.window, Moment(self._monotonic(), self._wall())):
            return verified
        return self._verify_stale(token, binding)

    with swap(SimulatedReplica, "verify", verify):
        yield


def _with_window(**changes: Any) -> Any:  # noqa: ANN401 - a patch
    def changed(started: AnyMoment, max_staleness: float) -> Window:
        return window_from(started, max_staleness)._replace(**changes)

    return swap(following, "window_from", changed)


@bug
def monotonic_clock_only(_world: World) -> Iterator[None]:
    """The monotonic clock of a suspended machine stands still, and the window with it."""
    with _with_window(wall_from=-inf, wall_until=inf):
        yield


@bug
def wall_clock_only(_world: World) -> Iterator[None]:
    """A wall clock that is set back keeps the window open."""

    def as_it_was(window: Window) -> Window:
        return window

    with (
        _with_window(monotonic_until=inf, wall_from=-inf),
        # Nor is it closed for good when the lease is given up.
        swap(following, "shut", as_it_was),
    ):
        yield


@bug
def counted_from_the_answer(_world: World) -> Iterator[None]:
    """Δ is counted from when the renewal was answered, not from when it was started."""
    publish = Follower._publish

    def late(self: Follower, _started: Moment, renewal: Renewal) -> None:
        publish(self, self._now(), renewal)

    with swap(Follower, "_publish", late):
        yield


@bug
def reading_renews(_world: World) -> Iterator[None]:
    """Having read the log is taken for a renewal: an old primary answers readers for ever."""
    read_news = Follower._read_news

    async def renew(self: Follower, reader: LogReader) -> bool:
        news = await read_news(self, reader)
        if self.window.monotonic_until > -inf:
            self.window = window_from(self._now(), self._max_staleness)
        return news

    with swap(Follower, "_read_news", renew):
        yield


@bug
def lease_with_a_time_to_live(_world: World) -> Iterator[None]:
    """A replica is fresh as long as its lease stands in the store, which is longer than Δ."""

    def longer(started: Moment, max_staleness: float) -> Window:
        return window_from(started, max_staleness * 3)

    with swap(following, "window_from", longer):
        yield


@bug
def leans_on_its_neighbour(world: World) -> Iterator[None]:
    """Two replicas on one machine share a window: one has read the log, the other has not."""
    publish = Follower._publish
    there: dict[Machine, list[Follower]] = defaultdict(list)

    def for_all(self: Follower, started: Moment, renewal: Renewal) -> None:
        publish(self, started, renewal)
        neighbours = there[world.here.machine]
        if self not in neighbours:
            neighbours.append(self)
        for neighbour in neighbours:
            neighbour.window = self.window

    with swap(Follower, "_publish", for_all):
        yield


@bug
def clock_disagreement_ignored(_world: World) -> Iterator[None]:
    """A machine whose clock is an hour behind goes on accepting what has expired."""

    def agree(_store_time: float, _wall: float) -> bool:
        return True

    with swap(following, "clocks_agree", agree):
        yield


@bug
def fork_inherits_the_window(_world: World) -> Iterator[None]:
    """The child of a fork answers in its parent's window, and nobody follows for it."""

    def keep(_self: Follower, _cause: str) -> None:
        pass

    with swap(Follower, "abandon", keep):
        yield
