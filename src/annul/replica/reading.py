"""Reading: joins what a log says into a denylist and a set of keys, and never forgets any of it.

A gap, a rewind or a new epoch in the log only means that all of it has to be read again: what is
held stays, the union of both is what is known, and an alarm is raised where something was lost.
Whether what is known is fresh enough to answer from is decided elsewhere (``follower``).
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from annul.core.events import StoreLost
from annul.core.revocation import Kind
from annul.core.session import BEGINNING
from annul.errors import StoreUnavailable
from annul.replica.archive import Archive, read_on
from annul.replica.counters import ReplicaCounters
from annul.replica.offering import Offering
from annul.replica.trusted import TrustedKeys
from annul.stores.base import Diverged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from annul.core.events import Event
    from annul.core.revocation import Position, Revocation, Watermark
    from annul.core.verifier import Verifier
    from annul.replica.freshness import Moment
    from annul.stores.base import LogReader, PublishedKeys, Renewal

__all__ = ["Progress", "Reading"]

log = logging.getLogger("annul.replica")

Progress = Callable[[int, int | None], object]

_BATCH = 1000
_PAGE = 2000
_LONGEST_PAGE = 300.0


class Reading:
    """What one verifier knows, and how that grows. Reads on one event loop; learns from any thread.

    ``highest`` is the furthest position that was ever seen. ``progress`` is told, while the whole
    log is read, how many entries that were and at most how many there will have been: ``None``
    as long as nobody can know. ``learnt`` hears of entries that have just been applied, or, with
    none, that keys or the window have changed; ``tell`` of losses.
    """

    def __init__(
        self,
        *,
        verifier: Verifier,
        now: Callable[[], Moment],
        fixed_keys: bool = False,
        highest: Position = BEGINNING,
        archive: Archive | None = None,
        progress: Progress | None = None,
        learnt: Callable[[tuple[Revocation, ...]], object] | None = None,
        tell: Callable[[Event], object] | None = None,
    ) -> None:
        self.counters = ReplicaCounters()
        self.highest = highest
        self._denylist = verifier.denylist
        self._now = now
        self._keys = TrustedKeys(verifier, fixed=fixed_keys)
        self._lineage: str | None = None
        self._lost = False
        self._unsure_of_keys = False
        self._offering = Offering()
        self._progress = progress
        self._learnt = learnt
        self._tell_of = tell
        self._archive = archive or Archive(self._denylist, issuer=verifier.policy.issuer)
        self._learning = self._archive.lock = threading.Lock()

    @property
    def keys_version(self) -> int:
        """The version of the newest keyring that was seen."""
        return self._keys.version

    # --- learning ---------------------------------------------------------------------

    def learn(self, entries: Iterable[Revocation]) -> None:
        """Join entries into the denylist, whoever they come from; drop revoked keys at once."""
        entries = tuple(entries)
        with self._learning:
            self.highest = max((self.highest, *(entry.position for entry in entries)))
            self._denylist.apply(entries)
            if any(entry.kind is Kind.KEY for entry in entries):
                self._keys.drop(self._now().wall)
        self._say_learnt(entries)

    def note(self, position: Position) -> None:
        """Take note of a position that the store has given out, whatever stands there."""
        with self._learning:
            self.highest = max(self.highest, position)

    def learn_keys(self, published: PublishedKeys) -> None:
        """Trust a key set, unless a newer one is already known: rings never go backwards."""
        with self._learning:
            is_older = not self._keys.take(published, self._now().wall)
        self._say_learnt(())
        if is_older:
            self._alarm("the store offers an older keyring than before; not taking it")

    def _say_learnt(self, entries: tuple[Revocation, ...]) -> None:
        # After it has been applied: whoever is told looks it up.
        if self._learnt is not None:
            self._learnt(entries)

    def _apply(self, entries: tuple[Revocation, ...]) -> None:
        if entries:
            self._offering.came(entries)
            self.learn(entries)
            self._denylist.watermark = entries[-1].watermark

    # --- reading everything -----------------------------------------------------------

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
        """Read the whole log in pages. Whatever stands before the first head is in one of them.

        What is appended meanwhile may be in them or not, and comes after that head. What is pruned
        meanwhile has expired.
        """
        head, last, read, has_room = None, BEGINNING, 0, True
        if self._lost:
            # Everything, as long as it has not been seen in the log.
            self._offering.begin(self._denylist.recent(), ())
        while head is None or last < head.position:
            async with asyncio.timeout(_LONGEST_PAGE):
                page = await reader.page(last, _PAGE)
            head = head or page.watermark
            if page.watermark.epoch != head.epoch or page.watermark.seq < head.seq:
                raise StoreUnavailable("the store has lost its end while it was being read")
            if not page.entries:
                break
            last = page.entries[-1].position
            read += len(page.entries)
            await self._read_successors(reader, page.entries)
            self._offering.came(page.entries)
            self.learn(page.entries)
            self._tell(read, last, head)
            has_room = has_room and await self._archive.make_room()
        self._lost = False
        self._denylist.watermark = head
        self.highest = max(self.highest, head.position)
        self._count(loads=1)

    def _tell(self, read: int, last: Position, head: Watermark) -> None:
        if self._progress is not None:
            left = max(0, head.seq - last.seq) if last.epoch == head.epoch else None
            self._progress(read, None if left is None else read + left)

    # --- reading on -------------------------------------------------------------------

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
            await self._read_successors(reader, changes)
            self._apply(changes)
            if changes[-1].position >= head.position:
                break
        return True

    async def _read_news(self, reader: LogReader) -> bool:
        """Apply what has come since; say whether anything has."""
        mark = self._denylist.watermark
        if mark is None:
            return False
        changes = await reader.changes(mark, _BATCH)
        if isinstance(changes, Diverged):
            return False  # the next round sees it too, and reloads
        await self._read_successors(reader, changes)
        self._apply(changes)
        return bool(changes)

    async def _read_successors(self, reader: LogReader, entries: Iterable[Revocation]) -> None:
        """Read the keys again before an entry takes one away: another one has taken over.

        It was published before the entry was appended.
        """
        if not self._keys.fixed and any(entry.kind is Kind.KEY for entry in entries):
            self.learn_keys(await reader.published_keys())

    async def _read_keys(self, reader: LogReader, renewal: Renewal) -> None:
        is_known = renewal.keys_version == self._keys.version and not self._unsure_of_keys
        if not is_known and not self._keys.fixed:
            self.learn_keys(await reader.published_keys())
            self._unsure_of_keys = False

    async def _offer(self, reader: LogReader) -> None:
        """Give back what the store has lost, if it is time to."""
        if lost := self._offering.due(self._now().monotonic):
            log.warning("offering %d entries that the store has lost", len(lost))
            await reader.offer(lost)
            self._count(offered=len(lost))

    # --- losses -----------------------------------------------------------------------

    def _diverged(self, answer: Diverged) -> None:
        if not answer.pruned:
            self._alarm("the store lost entries; keeping every revocation known before")
            self._lost = True
            # Two servers may have given one number to two keyrings.
            self._unsure_of_keys = True
        self._denylist.watermark = None

    def _belongs_to(self, lineage: str) -> None:
        """Take note of what the store was founded as, which does not change by itself."""
        if self._lineage is not None and self._lineage != lineage:
            self._alarm("the store was founded anew; keeping every revocation known before")
            self._keys.forget_version()
        self._lineage = lineage

    def _alarm(self, message: str) -> None:
        self._count(alarms=1)
        log.error("%s", message)
        if self._tell_of is not None:
            self._tell_of(StoreLost(at=self._now().wall, what=message))

    def _count(self, **more: int) -> None:
        with self._learning:
            before = self.counters
            self.counters = replace(
                before, **{name: getattr(before, name) + number for name, number in more.items()}
            )
