"""Which standbys a PostgreSQL server waits for before it acknowledges a commit. Pure.

What is said of a standby that waits for nothing holds for one that is waited for only sometimes.
With ``ANY 1 (a, b)`` an acknowledged commit is on ``a`` or on ``b``, and promoting the other one
loses it; with ``FIRST 1 (a, b)`` it is on ``a`` unless ``a`` was away. Only if each of them is
waited for may any of them take over, and a primary that they have left confirms nothing more.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Awaited", "awaited_from", "danger_of"]

_EVERYBODY = "*"
# FIRST 2 (a, b) | ANY 2 (a, b) | 2 (a, b) | a, b
_COUNTED = re.compile(r"(?:(?:first|any)\s*)?(\d+)\s*\((.*)\)", re.DOTALL | re.IGNORECASE)
_NAME = re.compile(r'"((?:[^"]|"")*)"|([^\s,"()]+)')


class Awaited(NamedTuple):
    """How many of which standbys a commit waits for. Names are compared without case."""

    number: int
    names: frozenset[str]


_NOBODY = "a standby may take over without its entries"
_ADVICE = (
    "; name each standby and wait for all, as synchronous_standby_names = 'ANY 2 (a, b)' does, or"
    " let nobody promote one that has not confirmed everything, and say promotion=confirmed"
)
_GAPS: tuple[tuple[Callable[[Awaited, list[str]], bool], str], ...] = (
    (
        lambda awaited, _followers: _EVERYBODY in awaited.names,
        "synchronous_standby_names does not say which standbys there are",
    ),
    (
        lambda awaited, _followers: awaited.number < len(awaited.names),
        "a commit does not wait for all that synchronous_standby_names lists",
    ),
    (
        lambda awaited, followers: not awaited.names.issuperset(followers),
        "a standby follows that synchronous_standby_names does not list",
    ),
    (
        lambda _awaited, followers: len(followers) > len(set(followers)),
        "two standbys have the same name, and a commit waits for one of them only",
    ),
)


@lru_cache(maxsize=8)
def awaited_from(setting: str) -> Awaited:
    """Return what ``synchronous_standby_names`` says, as a server that runs has accepted it."""
    counted = _COUNTED.fullmatch(setting.strip())
    number, listed = (int(counted[1]), counted[2]) if counted else (1, setting)
    names = (quoted.replace('""', '"') or plain for quoted, plain in _NAME.findall(listed))
    return Awaited(number, frozenset(map(str.casefold, names)))


def danger_of(
    setting: str, followers: Sequence[str], promotion: str, *, several_hosts: bool
) -> str | None:
    """Return why a standby that takes over may lack acknowledged entries, ``None`` if none can.

    ``followers`` are the names of those that follow the server now. A URL that names
    ``several_hosts`` says that there are standbys, whether or not they follow now.
    ``promotion`` is that of ``Address``.
    """
    awaited = awaited_from(setting)
    if not awaited.names:
        there_are = followers or several_hosts
        return f"{_NOBODY}; set synchronous_standby_names" if there_are else None
    if promotion == "confirmed":
        return None
    for is_missed, reason in _GAPS:
        if is_missed(awaited, [name.casefold() for name in followers]):
            return f"{reason}{_ADVICE}"
    return None
