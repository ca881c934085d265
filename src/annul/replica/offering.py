"""What the store has lost and this replica still has, until it stands in the log again. Pure.

An inbox holds only so many entries, may itself be lost, and an authority may be a while in coming.
So what has not come back is offered again; but not for ever, because an authority does not take
what it cannot recognise as its own.
"""

from __future__ import annotations

from itertools import islice
from math import inf
from typing import TYPE_CHECKING

from annul.stores.base import MOST_OFFERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from annul.core.revocation import Revocation

__all__ = ["Offering"]

_AGAIN = 3.0
_TRIES = 8


class Offering:
    """Says what to offer and when, in seconds of a clock that never goes back."""

    def __init__(self) -> None:
        self._missing: dict[bytes, Revocation] = {}
        # What has been offered and has not come back yet, and how often in vain.
        self._offered: set[bytes] = set()
        self._tries = 0
        self._due = -inf

    def begin(self, known: Iterable[Revocation], held: Iterable[Revocation]) -> None:
        """Offer what is known and not held by the store, if an authority can recognise it."""
        tags = {entry.tag for entry in held}
        self._missing = {
            entry.tag: entry for entry in known if entry.proof and entry.tag not in tags
        }
        self._offered = set()
        self._tries, self._due = 0, -inf

    def came(self, entries: Iterable[Revocation]) -> None:
        """Take note of what stands in the log."""
        if not self._missing:
            return
        for entry in entries:
            if self._missing.pop(entry.tag, None) is not None:
                self._offered.discard(entry.tag)
                self._tries = 0
        if not self._offered:
            self._due = -inf

    def due(self, now: float) -> tuple[Revocation, ...]:
        """Return what to offer now, which may be nothing."""
        if not self._missing or now < self._due or self._tries >= _TRIES:
            return ()
        self._tries += 1
        self._due = now + _AGAIN
        chosen = tuple(islice(self._missing.values(), MOST_OFFERS))
        for entry in chosen:
            # The next time it is the turn of others.
            self._missing[entry.tag] = self._missing.pop(entry.tag)
        self._offered = {entry.tag for entry in chosen}
        return chosen
