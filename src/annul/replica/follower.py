"""The follower: reads the log into a denylist and proves by its own lease how fresh that is.

One round::

    read both clocks → renew the lease (confirmed by the store) → read the log up to the head
    seen after the renewal → apply → publish the new window

The whole log is read before the first round, so that it may take longer than a renewal may be old.
A gap, a rewind or a new epoch never makes it forget: it keeps the union of what it holds, raises
an alarm and reloads. Between rounds it waits at the store's doorbell and applies what comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from typing import TYPE_CHECKING

from annul.core.revocation import Kind
from annul.core.session import BEGINNING
from annul.errors import AnnulError, Misconfigured, StoreUnavailable
from annul.replica.archive import Archive, read_on
from annul.replica.freshness import Moment, Window, clocks_agree, is_open, never, window_from
from annul.replica.listing import Listing
from annul.replica.offering import Offering
from annul.replica.trusted import TrustedKeys
from annul.stores.base import Diverged, Lease, PublishedKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from annul.core.revocation import Position, Revocation, Watermark
    from annul.core.verifier import Verifier
    from annul.stores.base import LogReader, Renewal

__all__ = ["Follower"]

log = logging.getLogger("annul.replica")

_ROUNDS_PER_STALENESS = 4
_LONGEST_PAUSE = 1.0
_PRUNE_EVERY = 60.0
_BATCH = 1000
_LONGEST_LOAD = 300.0
_NEWS_PER_STALENESS = 40


class Follower:
    """Keeps one verifier's denylist and keys up to date. Runs on one event loop.

    ``open_reader`` opens the store afresh for each attempt. ``window`` is what the replica reads
    at every verification; it is replaced as a whole, after everything it vouches for is in place.
    """

    def __init__(
        self,
        *,
        open_reader: Callable[[], LogReader],
        verifier: Verifier,
        max_staleness: float,
        now: Callable[[], Moment],
        entropy: Callable[[int], bytes] = os.urandom,
        fixed_keys: bool = False,
        highest: Position = BEGINNING,
        archive: Archive | None = None,
    ) -> None:
        self.window: Window = never("starting")
        self.ready = threading.Event()
        self.stopped = threading.Event()
        self.failure: Misconfigured | None = None
        self.alarms = 0
        self._open_reader = open_reader
        self._denylist = verifier.denylist
        self._max_staleness = max_staleness
        self._now = now
        self._entropy = entropy
        self._keys = TrustedKeys(verifier, fixed=fixed_keys)
        self._lease_id = entropy(9).hex()
        self._label = f"{os.uname().nodename}:{os.getpid()}"
        self._lineage: str | None = None
        self.highest = highest
        self._lost = False
        self._offering = Offering()
        self._listing = Listing()
        self._pruned_at = 0.0
        self.store_ahead = 0.0
        self._archive = archive or Archive(self._denylist, issuer=verifier.policy.issuer)
        self._learning = self._archive.lock = threading.Lock()
        self._closed = False

    @property
    def keys_version(self) -> int:
        """The version of the newest keyring that was seen."""
        return self._keys.version

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
            await asyncio.sleep(self._pause(attempt))

    async def _round(self, reader: LogReader) -> None:
        if self._denylist.watermark is None and (identity := await reader.identity()) is not None:
            async with asyncio.timeout(_LONGEST_LOAD):
                if not await self._resume(reader, identity.lineage):
                    await self._load(reader)
                await self._archive.fill(identity.lineage)
        started, lease = self._now(), self._lease()
        async with asyncio.timeout(self._max_staleness):
            renewal = await reader.renew(lease)
            if renewal is None:
                self._refuse("store_empty")
                self._listing.broke()
            else:
                self._check(renewal)
                self._listing.renewed(renewal, self._now())
                await self._read_keys(reader, renewal)
                if not await self._read_log(reader, renewal.head):
                    return  # to load everything again
                self._publish(started, renewal)
                self._archive.consider(renewal.lineage)
                if lost := self._offering.due(self._now().monotonic):
                    log.warning("offering %d entries that the store has lost", len(lost))
                    await reader.offer(lost)
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
            max_staleness=self._max_staleness,
            label=self._label,
            beat=self._listing.next_beat(),
            highest=self.highest,
        )

    @property
    def listed_for(self) -> float:
        """For how many seconds at least the store's lease table has been whole."""
        return self._listing.whole_for(self._now())

    async def _resume(self, reader: LogReader, lineage: str) -> bool:
        """Go on from the snapshot on disk, if there is one and the store still holds its place."""
        self.learn(await self._archive.restore(lineage))
        while not self._lost and (mark := self._archive.next_mark()) is not None:
            self.highest = max(self.highest, mark.position)
            self._denylist.watermark = mark
            answer = await read_on(reader, mark, self._apply)
            if answer is None:
                return True
            self._diverged(answer)
        return False

    async def _load(self, reader: LogReader) -> None:
        snapshot = await reader.snapshot()
        if self._lost:
            self._offering.begin(self._denylist.recent(), snapshot.entries)
            self._lost = False
        self.learn(snapshot.entries)
        self._denylist.watermark = snapshot.watermark
        self.highest = max(self.highest, snapshot.watermark.position)

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
            self.window = window_from(started, self._max_staleness)
        self.ready.set()
        if started.monotonic - self._pruned_at > _PRUNE_EVERY:
            self._pruned_at = started.monotonic
            self._archive.prune_soon(store_time)
            with self._learning:
                self._keys.drop(store_time)

    def _refuse(self, cause: str) -> None:
        # Windows only ever end early here: an unreachable store just lets the last one run out.
        with self._learning:
            if not self._closed:
                self.window = never(cause)

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
            if not is_open(self.window, self._now()):
                async with asyncio.timeout(self._max_staleness):
                    await reader.release(self._lease_id)
        except (AnnulError, TimeoutError):
            log.debug("the store is out of reach; the lease just falls silent")
        finally:
            with contextlib.suppress(AnnulError):
                await reader.close()

    def _pause(self, attempt: int) -> float:
        # Jittered, so that replicas which lost the store together do not come back together.
        longest = min(_LONGEST_PAUSE, self._max_staleness / 8 * (1 << min(attempt, 4)))
        return longest * (0.5 + self._entropy(1)[0] / 510)

    # --- reading ----------------------------------------------------------------------

    def _check(self, renewal: Renewal) -> None:
        if self._max_staleness > renewal.horizon:
            raise Misconfigured(
                f"max_staleness is {self._max_staleness:g} s, but the authority allows verifiers"
                f" {renewal.horizon:g} s; lower it here or raise it there"
            )
        if self._lineage is None:
            self._lineage = renewal.lineage
        elif self._lineage != renewal.lineage:
            self._alarm("the store was founded anew; keeping every revocation known before")
            self._lineage = renewal.lineage
            self._keys.forget_version()

    async def _read_log(self, reader: LogReader, head: Watermark) -> bool:
        """Read until the log has been applied up to ``head``; say whether that could be done."""
        while (mark := self._denylist.watermark) != head:
            if mark is None:
                changes: tuple[Revocation, ...] | Diverged = Diverged(pruned=True)
            elif mark.epoch != head.epoch:
                changes = Diverged(pruned=False)  # a new epoch is opened after a loss
            else:
                changes = await reader.changes(mark, _BATCH)
            if isinstance(changes, Diverged):
                self._diverged(changes)
                return False
            if not changes:
                raise StoreUnavailable("the store's log is behind its own head")
            self._apply(changes)
            if changes[-1].position >= head.position:
                break
        return True

    def _diverged(self, answer: Diverged) -> None:
        if not answer.pruned:
            self._alarm("the store lost entries; keeping every revocation known before")
            self._lost = True
            self._listing.broke()
        self._denylist.watermark = None

    async def _read_news(self, reader: LogReader) -> bool:
        """Apply what has come since; say whether anything has."""
        mark = self._denylist.watermark
        if mark is None:
            return False
        changes = await reader.changes(mark, _BATCH)
        if isinstance(changes, Diverged):
            return False  # the next round sees it too, and reloads
        if any(entry.kind is Kind.KEY for entry in changes) and not self._keys.fixed:
            # The key that takes over was published before the entry was appended, and has to be
            # known before the entry takes the old one away.
            self.learn_keys(await reader.published_keys())
        self._apply(changes)
        return bool(changes)

    def _apply(self, entries: tuple[Revocation, ...]) -> None:
        if entries:
            self._offering.came(entries)
            self.learn(entries)
            self._denylist.watermark = entries[-1].watermark

    def learn(self, entries: Iterable[Revocation]) -> None:
        """Join entries into the denylist, whoever they come from; drop revoked keys at once."""
        entries = tuple(entries)
        with self._learning:
            self.highest = max((self.highest, *(entry.position for entry in entries)))
            self._denylist.apply(entries)
            if any(entry.kind is Kind.KEY for entry in entries):
                self._keys.drop(self._now().wall)

    # --- keys -------------------------------------------------------------------------

    async def _read_keys(self, reader: LogReader, renewal: Renewal) -> None:
        if renewal.keys_version != self._keys.version and not self._keys.fixed:
            self.learn_keys(await reader.published_keys())

    def learn_keys(self, published: PublishedKeys) -> None:
        """Trust a key set, unless a newer one is already known: rings never go backwards."""
        with self._learning:
            if not self._keys.take(published, self._now().wall):
                self._alarm("the store offers an older keyring than before; not taking it")

    def _alarm(self, message: str) -> None:
        self.alarms += 1
        log.error("%s", message)
