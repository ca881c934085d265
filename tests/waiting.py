"""Waiting for what happens elsewhere: the one place in the tests that lets time pass."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE = 10.0
_GLANCE = 0.002


def eventually(happened: Callable[[], object], *, within: float = _PATIENCE) -> None:
    """Return as soon as ``happened()`` is true; fail if it is not within so many seconds."""
    deadline = time.monotonic() + within
    while not happened():
        assert time.monotonic() < deadline, f"it has not happened within {within:g} s"
        time.sleep(_GLANCE)
