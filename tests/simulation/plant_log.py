"""Planted bugs in the log: how it is numbered, read, and read again after a loss."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import annul.core.denylist as denylist_room
from annul.core.denylist import Denylist
from annul.core.revocation import Position
from annul.core.session import BEGINNING
from annul.errors import StoreUnavailable
from annul.replica.follower import Follower
from annul.stores.base import Began, Diverged, Snapshot
from tests.simulation.planted import bug, swap
from tests.simulation.store_model import Node

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from annul.core.facts import Facts
    from annul.core.revocation import Revocation, Watermark
    from annul.core.session import Session
    from annul.stores.base import Covered, Draft, LogReader
    from tests.simulation.virtual_time import World

Changes = tuple["Revocation", ...]


@bug
def watermark_without_a_tag(_world: World) -> Iterator[None]:
    """A place in a log that was lost and grew again, in the same epoch, looks like it was read."""

    def nothing(_self: Node, _floor: Position) -> None:
        pass

    changes = Node.changes

    async def by_position(self: Node, after: Watermark, limit: int = 1000) -> Changes | Diverged:
        state = self.state
        if after.epoch == state.head.epoch and after.seq <= state.head.seq:
            return tuple(e for e in state.log if e.position > after.position)[:limit]
        return await changes(self, after, limit)

    with swap(Node, "changes", by_position), swap(Node, "_open_epoch_if_behind", nothing):
        yield


@bug
def new_epoch_ignored(_world: World) -> Iterator[None]:
    """A reader that meets a new epoch goes on from its head, as if it had read what is before."""
    read_log = Follower._read_log

    async def go_on(self: Follower, reader: LogReader, head: Watermark) -> bool:
        mark = self._denylist.watermark
        if mark is not None and mark.epoch != head.epoch:
            self._denylist.watermark = head
            return True
        return await read_log(self, reader, head)

    with swap(Follower, "_read_log", go_on):
        yield


@bug
def gap_ignored(_world: World) -> Iterator[None]:
    """One batch is read, and the place of the head is noted whether it was reached or not."""

    async def one_batch(self: Follower, reader: LogReader, head: Watermark) -> bool:
        mark = self._denylist.watermark
        changes = Diverged(pruned=True) if mark is None else await reader.changes(mark, 1)
        if isinstance(changes, Diverged):
            self._denylist.watermark = None
            return False
        self._apply(changes)
        self._denylist.watermark = head
        return True

    with swap(Follower, "_read_log", one_batch):
        yield


@bug
def forgets_on_resync(_world: World) -> Iterator[None]:
    """A snapshot replaces what the replica knew, although the store may have lost some of it."""
    load = Follower._load

    async def afresh(self: Follower, reader: LogReader) -> None:
        version = self._denylist.version
        Denylist.__init__(self._denylist)
        self._denylist.version = version + 1
        await load(self, reader)

    with swap(Follower, "_load", afresh):
        yield


@bug
def no_new_epoch(_world: World) -> Iterator[None]:
    """After a loss positions are given out again: what began later seems to come before."""

    def nothing(_self: Node, _floor: Position) -> None:
        pass

    with swap(Node, "_open_epoch_if_behind", nothing):
        yield


@bug
def epoch_compared_last(_world: World) -> Iterator[None]:
    """Sequence numbers are compared first, so a new epoch begins before everything."""

    def began_before(facts: Facts, cutoff: Revocation) -> bool:
        return facts.since is not None and tuple(facts.since)[::-1] < tuple(cutoff.position)[::-1]

    with swap(denylist_room, "began_before", began_before):
        yield


@bug
def since_from_a_clock(_world: World) -> Iterator[None]:
    """A session is placed in the log by the clock of whoever logs in, and clocks differ."""
    begin = Node.begin

    async def placed(
        self: Node, session: Session, *, floor: Position = BEGINNING
    ) -> Began | Covered:
        began = await begin(self, session, floor=floor)
        if not isinstance(began, Began):
            return began
        state = self.state
        before = [e.position for e in state.log if e.at <= session.created_at]
        since = max(before, default=Position(state.genesis.epoch, state.genesis.seq))
        born = replace(began.session, since=since)
        state.sessions[born.sid] = born
        return Began(born)

    with swap(Node, "begin", placed):
        yield


@bug
def numbered_before_commit(world: World) -> Iterator[None]:
    """A number is given out before its entry can be seen: who has read the next one misses it."""
    append, changes, page = Node._append, Node.changes, Node.page
    hidden: dict[bytes, float] = {}
    young: dict[bytes, float] = {}

    def hiding(self: Node, draft: Draft) -> Revocation:
        last = self.state.log[-1:]
        entry = append(self, draft)
        young[entry.tag] = world.now
        for before in last:
            if world.now - young.get(before.tag, -1) < 0.5:
                hidden[before.tag] = world.now + 0.5
        return entry

    def seen(entry: Revocation) -> bool:
        return hidden.get(entry.tag, 0) <= world.now

    async def visible(self: Node, after: Watermark, limit: int = 1000) -> Changes | Diverged:
        found = await changes(self, after, limit)
        return found if isinstance(found, Diverged) else tuple(filter(seen, found))

    async def visible_page(self: Node, after: Position, limit: int = 1000) -> Snapshot:
        found = await page(self, after, limit)
        return Snapshot(tuple(filter(seen, found.entries)), found.watermark)

    with (
        swap(Node, "_append", hiding),
        swap(Node, "changes", visible),
        swap(Node, "page", visible_page),
    ):
        yield


@bug
def reads_from_a_lagging_copy(world: World) -> Iterator[None]:
    """The log is read from a copy that is behind, and its end is taken for the end."""
    append, changes, read_log = Node._append, Node.changes, Follower._read_log
    born: dict[bytes, float] = {}

    def noting(self: Node, draft: Draft) -> Revocation:
        entry = append(self, draft)
        born.setdefault(entry.tag, world.now)
        return entry

    async def behind(self: Node, after: Watermark, limit: int = 1000) -> Changes | Diverged:
        found = await changes(self, after, limit)
        if isinstance(found, Diverged):
            return found
        return tuple(e for e in found if world.now - born.get(e.tag, 0) > 1.0)

    async def content(self: Follower, reader: LogReader, head: Watermark) -> bool:
        try:
            return await read_log(self, reader, head)
        except StoreUnavailable:
            return True

    with (
        swap(Node, "_append", noting),
        swap(Node, "changes", behind),
        swap(Follower, "_read_log", content),
    ):
        yield


@bug
def appends_again(_world: World) -> Iterator[None]:
    """A draft whose tag is in the log is appended once more: the cut-off moves."""
    append = Node.append

    async def again(self: Node, drafts: Sequence[Draft], *, floor: Position = BEGINNING) -> object:
        for draft in drafts:
            self.state.tags.pop(draft.tag, None)
        return await append(self, drafts, floor=floor)

    with swap(Node, "append", again):
        yield
