"""Timing that survives a noisy machine: two alternatives in turn, medians of their ratios."""

from __future__ import annotations

import gc
import time
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Comparison", "compare", "per_call"]


class Comparison(NamedTuple):
    """Median seconds per call of both, and the median of the ratios of neighbouring blocks."""

    ours: float
    theirs: float
    ratio: float


def per_call(block: Callable[[], int]) -> float:
    """Return seconds per call of one block, which says how many calls it made."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        calls = block()
        return (time.perf_counter() - start) / calls
    finally:
        gc.enable()


def compare(ours: Callable[[], int], theirs: Callable[[], int], *, rounds: int) -> Comparison:
    """Time two blocks in turn, ``rounds`` times, after one warm-up each."""
    ours()
    theirs()
    pairs = [(per_call(ours), per_call(theirs)) for _ in range(rounds)]
    return Comparison(
        median(a for a, _ in pairs), median(b for _, b in pairs), median(a / b for a, b in pairs)
    )
