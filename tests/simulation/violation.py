"""What must not have happened."""

from __future__ import annotations

from typing import NamedTuple


class Violation(NamedTuple):
    """One broken promise: which, when in true time, and what is known about it."""

    rule: str
    time: float
    what: str
