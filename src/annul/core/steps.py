"""Long work as a generator that pauses after each small piece, and how to do it without a pause."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["in_one_go"]

T = TypeVar("T")


def in_one_go(steps: Generator[None, None, T]) -> T:
    """Return what steps come to, without a pause."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]  # what this generator returns
