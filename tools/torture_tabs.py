# ruff: noqa: INP001 - a script of this repository, not a package
"""The part of ``tools/torture.py`` with browsers and thieves: ``tests/tabs``."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults import parts
from tests.postgres_server import roomy_folder
from tests.stage import Stage
from tests.tabs.town import open_town
from tools.torture_faults import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.tabs.town import Tally

_HEAD = (
    f"{'part':<20}{'sessions':>10}{'refreshes':>11}{'lost':>8}{'logged out':>12}"
    f"{'thefts':>8}{'undetected':>12}{'siblings':>10}{'seconds':>9}"
)
KINDS = ("memory", "sqlite", "valkey", "postgres")
_TIMES = 1000
_SHOWN = 5


def play_tabs(times: int | None, seed: int, kinds: Sequence[str] = KINDS) -> int:
    """Play so many sessions, and as many thefts, on each kind of store; return the exit code."""
    # An authority whose clock leaps has much to say.
    logging.getLogger("annul").setLevel(logging.CRITICAL)
    rows, broken = [], 0
    for kind in kinds:
        say(f"tabs, {kind} ...")
        began = time.monotonic()  # noqa: TID251 - it measures itself
        try:
            with _stage(kind) as stage:
                tally = asyncio.run(_live(stage, _TIMES if times is None else times, seed))
        except pytest.skip.Exception as skipped:
            rows.append(f"{'tabs, ' + kind:<20}  skipped: {skipped.msg}")
            continue
        took = time.monotonic() - began  # noqa: TID251 - it measures itself
        broken |= not tally.is_clean
        rows += [_row(kind, tally, took), *(f"  {what}" for what in tally.violations[:_SHOWN])]
        say(rows[-1])
    say("", _HEAD, *rows)
    return broken


async def _live(stage: Stage, times: int, seed: int) -> Tally:
    async with open_town(stage, seed) as town:
        return await town.live(times, times)


@contextlib.contextmanager
def _stage(kind: str) -> Iterator[Stage]:
    with tempfile.TemporaryDirectory(prefix="annul-tabs-", dir=roomy_folder()) as name:
        folder = Path(name)
        if kind == "memory":
            yield Stage(kind, "memory://tabs", folder)
            return
        with getattr(parts, kind)(folder) as target:
            yield Stage(kind, target.url, folder)


def _row(kind: str, tally: Tally, took: float) -> str:
    return (
        f"{'tabs, ' + kind:<20}{tally.sessions:>10}{tally.presented:>11}{tally.lost:>8}"
        f"{tally.logged_out:>12}{tally.thefts:>8}{tally.undetected:>12}{tally.siblings:>10}"
        f"{took:>9.0f}"
    )
