"""Segments of expiry: many ids that are remembered until one moment, so that it is written once.

A table has room for sixteen. Whatever does not fit exactly is remembered until the end of the next
later one: longer than it need be, never shorter, because forgetting is what must not happen early.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["MOST_SEGMENTS", "Segment", "ends_of", "plan", "rounded", "slot_of"]

MOST_SEGMENTS = 16

_EXACT_BITS = 3


class Segment(NamedTuple):
    """Ids that are remembered ``until`` the same Unix time, ``None`` being for ever.

    ``alive`` is no longer true once that time has passed and they have been forgotten.
    """

    until: int | None
    ids: int = 0
    alive: bool = True


def plan(expiries: Iterable[tuple[int | None, int]]) -> tuple[Segment, ...]:
    """Return the segments, in order, for so many ids each that expire at these times.

    They are chosen so that what is remembered too long, in ids times seconds, stays small. Give it
    no more than some hundred different times: ``rounded`` ones.
    """
    wanted: Counter[int | None] = Counter()
    for until, ids in expiries:
        wanted[until] += ids
    endless = wanted.pop(None, None)
    finite = sorted((until, ids) for until, ids in wanted.items() if until is not None)
    room = MOST_SEGMENTS - (endless is not None)
    while len(finite) > room:
        # Let the neighbours be one for which the earlier one's ids have to wait least.
        costs = [ids * (later - until) for (until, ids), (later, _) in pairwise(finite)]
        place = costs.index(min(costs))
        (_, few), (later, more) = finite[place : place + 2]
        finite[place : place + 2] = [(later, few + more)]
    found = [Segment(until, ids) for until, ids in finite]
    return (*found, *([] if endless is None else [Segment(None, endless)]))


def rounded(until: int | None, origin: int) -> int | None:
    """Return a time not before ``until``, later by at most an eighth of what lies in between.

    ``origin`` is the earliest of all: close to it times lie close together, further on far apart.
    """
    if until is None:
        return None
    distance = until - origin
    spare = max(0, distance.bit_length() - _EXACT_BITS - 1)
    return origin + (-(-distance >> spare) << spare)


def ends_of(segments: Sequence[Segment]) -> list[float]:
    """Return the ends of segments in order, to look slots up by."""
    return [inf if each.until is None else each.until for each in segments]


def slot_of(ends: Sequence[float], until: int | None) -> int:
    """Return which segment keeps an id until then: the earliest that is long enough.

    ``MOST_SEGMENTS`` if none does.
    """
    slot = bisect_left(ends, inf if until is None else until)
    return slot if slot < len(ends) else MOST_SEGMENTS
