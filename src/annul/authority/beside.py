"""What an authority asks the replica beside it, and tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable

    from annul.core.revocation import Position, Revocation

__all__ = ["Beside"]


class Beside(Protocol):
    """**Protocol:** the replica of the same store in the same process."""

    @property
    def store_ahead(self) -> float:
        """By how many seconds the store's clock is ahead of the one here."""
        ...

    @property
    def highest(self) -> Position:
        """The furthest position in the log that this process has seen, whatever became of it."""
        ...

    @property
    def keys_version(self) -> int:
        """The version of the newest keyring that was seen; it never goes back."""
        ...

    @property
    def listed_for(self) -> float:
        """For how many seconds at least the lease table has been whole, by the clocks here."""
        ...

    @property
    def own_lease(self) -> tuple[str, int]:
        """The id of its lease in the store, and the last beat of it that was confirmed."""
        ...

    def note(self, position: Position) -> None:
        """Take note of a position that the store has given out, so that its loss is noticed."""
        ...

    def observe(self, entries: Iterable[Revocation]) -> None:
        """Honour entries that this process has just written, without waiting for the log."""
        ...
