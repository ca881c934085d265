"""What a writing transaction comes to, decided from what it has read under its lock. Pure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from annul.core.denylist import Denylist
from annul.core.revocation import Position, Revocation
from annul.stores import postgres_sql as statements
from annul.stores import sql
from annul.stores.postgres_wire import Statement
from annul.stores.rules import behind, epoch_after

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from annul.stores.base import Draft
    from annul.stores.postgres_sql import Head

__all__ = ["Work"]

_GENESIS_BYTES = 16


class Work:
    """Collects the statements that carry a decision out.

    ``seen`` are positions that somebody has seen; a head behind one of them has lost entries, and
    opens a new epoch. So does a server that was promoted: the one before it may have given out
    positions that nobody here knows of.
    """

    def __init__(
        self,
        head: Head,
        seen: Iterable[Position],
        *,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.head = head
        self.position = head.position
        self.opens_epoch = False
        self.rings = False
        self.appended: list[Revocation] = []
        self.statements: list[Statement] = []
        if head.promoted:
            self._open_epoch(head.position)
        for position in seen:
            if behind(self.position, position, head.now):
                self._open_epoch(position)
        if self.opens_epoch:
            tag = entropy(_GENESIS_BYTES)
            self.do(statements.OPEN_EPOCH, self.position.epoch, tag, tag)

    def do(self, text: str, *values: object) -> None:
        """Add a statement."""
        self.statements.append(Statement(text, values))

    def append(
        self, drafts: Sequence[Draft], known: Iterable[Revocation], standing: Iterable[Revocation]
    ) -> tuple[Revocation, ...]:
        """Append drafts, except those whose tag is ``known``; return all as they stand.

        ``standing`` are the entries about subjects whose blocks a draft lifts.
        """
        by_tag = {entry.tag: entry for entry in known}
        blocks = Denylist(standing)
        for draft in drafts:
            if draft.tag in by_tag:
                continue
            self.position = Position(self.position.epoch, self.position.seq + 1)
            lifts = blocks.blocks_of(draft.fingerprint) if draft.lifts_all else ()
            entry = sql.entry_of(draft, self.position, lifts, self.head.identity, self.head.now)
            blocks.apply([entry])
            by_tag[entry.tag] = entry
            self.appended.append(entry)
            self.statements.append(statements.insert_entry(entry))
        if self.appended:
            last = self.appended[-1]
            self.do(statements.MOVE_HEAD, last.position.seq, last.tag)
        return tuple(by_tag[draft.tag] for draft in drafts)

    def _open_epoch(self, seen: Position) -> None:
        self.opens_epoch = True
        self.position = Position(epoch_after(self.position, seen, self.head.now), 0)
