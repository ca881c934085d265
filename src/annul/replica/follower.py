"""The follower: proves by its own lease how fresh that is which ``reading`` has read.

One round::

    read both clocks → renew the lease (confirmed by the store) → read the log up to the head
    seen after the renewal → apply → publish the new window

The whole log is read before the first round, so that it may take longer than a renewal may be old.
Between rounds it waits at the store's doorbell and applies what comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING

from annul.core.session import BEGINNING
from annul.errors import AnnulError, Misconfigured
from annul.replica.freshness import (
    Window,
    clocks_agree,
    is_open,
    never,
    prolonged,
    shut,
    window_from,
)
from annul.replica.listing import Listing
from annul.replica.reading import Reading
from annul.stores.base import Lease

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.events import Event
    from annul.core.revocation import Position, Revocation
    from annul.core.verifier import Verifier
    from annul.replica.archive import Archive
    from annul.replica.freshness import Moment
    from annul.replica.reading import Progress
    from annul.stores.base import Diverged, LogReader, Renewal

__all__ = ["Follower"]

log = logging.getLogger("annul.replica")

_ROUNDS_PER_STALENESS = 4
_LONGEST_PAUSE = 1.0
_PRUNE_EVERY = 60.0
_LONGEST_LOAD = 300.0
_NEWS_PER_STALENESS = 40


class Follower(Reading):
    """Keeps one verifier's denylist and keys up to date. Runs on one event loop.

    ``open_reader`` opens the store afresh for each attempt. ``window`` is what the replica reads
    at every verification; it is replaced as a whole, after everything it vouches for is in place.
    ``accept_for`` is for how long the replica may go on by way of exception when it has run out.
    """

    def __init__(
        self,
        *,
        open_reader: Callable[[], LogReader],
        verifier: Verifier,
        max_staleness: float,
        accept_for: float = 0.0,
        now: Callable[[], Moment],
        entropy: Callable[[int], bytes] = os.urandom,
        fixed_keys: bool = False,
        highest: Position = BEGINNING,
        archive: Archive | None = None,
        progress: Progress | None = None,
        learnt: Callable[[tuple[Revocation, ...]], object] | None = None,
        tell: Callable[[Event], object] | None = None,
    ) -> None:
        super().__init__(
            verifier=verifier,
            now=now,
            fixed_keys=fixed_keys,
            highest=highest,
            archive=archive,
            progress=progress,
            learnt=learnt,
            tell=tell,
        )
        self.window: Window = never("starting")
        self.ready = threading.Event()
        self.stopped = threading.Event()
        self.failure: Misconfigured | None = None
        self._open_reader = open_reader
        self._max_staleness = max_staleness
        self._accept_for = accept_for
        self._entropy = entropy
        self._lease_id = entropy(9).hex()
        self._label = f"{os.uname().nodename}:{os.getpid()}"
        self._listing = Listing()
        self._pruned_at = 0.0
        self.store_ahead = 0.0
        self._closed = False

    # --- the loop ---------------------------------------------------------------------

    async def run(self) -> None:
        """Follow until cancelled. Failures are logged and retried; they end freshness, not this."""
        try:
            await self._follow()
        finally:
            await self._archive.leave(self._lineage, self.stopped.set)

    async def _follow(self) -> None:
        attempt = 0
        while True:
            reader: LogReader | None = None
            try:
                reader = self._open_reader()
                while True:
                    await self._round(reader)
                    attempt = 0
            except Misconfigured as error:
                self._refuse("misconfigured")
                self.failure = error
                self.ready.set()
                log.error("replica cannot follow: %s", error)  # noqa: TRY400 - the message is all
            except asyncio.CancelledError:
                self._refuse("closed")  # while there still is a lease for it
                raise
            except (AnnulError, TimeoutError) as error:
                log.warning("replica lost its store (%s), trying again", type(error).__name__)
            except Exception:
                # Whatever it was, it must end freshness and not the following.
                log.exception("replica failed to follow, trying again")
            finally:
                if reader is not None:
                    await self._leave(reader)
            attempt += 1
            self._count(renewals_failed=1)
            await asyncio.sleep(self._pause(attempt))

    async def _round(self, reader: LogReader) -> None:
        if self._denylist.watermark is None and (identity := await reader.identity()) is not None:
            async with asyncio.timeout(_LONGEST_LOAD):
                resumed = await self._resume(reader, identity.lineage)
            if not resumed:
                await self._load(reader)  # each page within a time of its own
            await self._archive.fill(identity.lineage)
        started, lease = self._now(), self._lease()
        async with asyncio.timeout(self._max_staleness):
            renewal = await reader.renew(lease)
            if renewal is None or not (renewal.keys_version or self._keys.fixed):
                # Nobody has founded it, or whoever does has not put the first key there yet.
                self._refuse("store_empty")
                self._listing.broke()
            else:
                self._check(renewal)
                self._listing.renewed(renewal, self._now())
                await self._read_keys(reader, renewal)
                if not await self._read_log(reader, renewal.head):
                    return  # to load everything again
                self._count(renewals=1)
                self._publish(started, renewal)
                self._archive.consider(renewal.lineage)
                await self._offer(reader)
        # News is told soon, because somebody may be waiting for it; but many entries in a row are
        # one piece of news. What has come with the renewal itself is told by the next one.
        soon = started.monotonic + self._max_staleness / _NEWS_PER_STALENESS
        until = started.monotonic + self._max_staleness / _ROUNDS_PER_STALENESS
        if self._denylist.watermark != lease.watermark:
            until = soon
        while (left := until - self._now().monotonic) > 0:
            await reader.wait(left)
            if renewal is not None and until > self._now().monotonic:
                async with asyncio.timeout(self._max_staleness):
                    if await self._read_news(reader):
                        until = min(until, max(soon, self._now().monotonic))

    def _lease(self) -> Lease:
        return Lease(
            id=self._lease_id,
            watermark=self._denylist.watermark,
            max_staleness=self._bound,
            label=self._label,
            beat=self._listing.next_beat(),
            highest=self.highest,
        )

    @property
    def _bound(self) -> float:
        # Whoever waits for this replica has to wait until the exception is over, too.
        return self._max_staleness + self._accept_for

    @property
    def listed_for(self) -> float:
        """For how many seconds at least the store's lease table has been whole."""
        return self._listing.whole_for(self._now())

    @property
    def own_lease(self) -> tuple[str, int]:
        """The id of this replica's lease, and its last beat that was confirmed."""
        return self._lease_id, self._listing.confirmed

    def _check(self, renewal: Renewal) -> None:
        if self._bound > renewal.horizon:
            what = f"max_staleness is {self._bound:g} s"
            if self._accept_for:
                what = f"max_staleness and accept_for come to {self._bound:g} s"
            raise Misconfigured(
                f"{what}, but the authority allows verifiers {renewal.horizon:g} s: use less here,"
                f" or open the authority with horizon={self._bound:g}"
            )
        self._belongs_to(renewal.lineage)

    def _diverged(self, answer: Diverged) -> None:
        super()._diverged(answer)
        if not answer.pruned:
            self._listing.broke()

    def _publish(self, started: Moment, renewal: Renewal) -> None:
        # What this replica itself has forgotten may live again if time goes back.
        store_time = max(renewal.store_time, self._denylist.pruned_by)
        wall = self._now().wall
        self.store_ahead = store_time - wall
        if not clocks_agree(store_time, wall):
            if self.window.cause != "clock_disagrees":
                log.error("this machine's clock and the store's differ by more than a minute")
            self._refuse("clock_disagrees")
            return
        self.failure = None
        with self._learning:
            if self._closed:
                return
            self._keys.drop(store_time)
            self.window = window_from(started, self._max_staleness)
        self.ready.set()
        self._say_learnt(())
        if started.monotonic - self._pruned_at > _PRUNE_EVERY:
            self._pruned_at = started.monotonic
            self._archive.prune_soon(store_time)

    def _refuse(self, cause: str) -> None:
        # Windows only ever end early here: an unreachable store just lets the last one run out.
        with self._learning:
            if not self._closed:
                self.window = never(cause)
        self._say_learnt(())

    def abandon(self, cause: str) -> None:
        """Take note, in a forked child, that whoever ran this is not here."""
        self._learning = threading.Lock()
        self.window = never(cause)

    def close(self) -> None:
        """Let nothing be answered any more, whatever a round in progress comes to."""
        with self._learning:
            self._closed = True
            self.window = never("closed")

    async def _leave(self, reader: LogReader) -> None:
        try:
            # Whoever counts the leases must not overlook a replica that may still answer.
            if not is_open(prolonged(self.window, self._accept_for), self._now()):
                # A clock that is set right again must not open it without a lease.
                with self._learning:
                    self.window = shut(self.window)
                released, self._lease_id = self._lease_id, self._entropy(9).hex()
                # Another lease from now on: should the release be held up on its way, it must not
                # take one away by which this replica answers again.
                self._listing = Listing()
                async with asyncio.timeout(self._max_staleness):
                    await reader.release(released)
        except (AnnulError, TimeoutError):
            log.debug("the store is out of reach; the lease just falls silent")
        finally:
            with contextlib.suppress(AnnulError):
                await reader.close()

    def _pause(self, attempt: int) -> float:
        # Jittered, so that replicas which lost the store together do not come back together.
        longest = min(_LONGEST_PAUSE, self._max_staleness / 8 * (1 << min(attempt, 4)))
        return longest * (0.5 + self._entropy(1)[0] / 510)
