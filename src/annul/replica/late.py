"""The exception that a deployer may name: answering for a while after Δ, counted and logged."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from annul.replica.freshness import answers_late

if TYPE_CHECKING:
    from annul.replica.freshness import Moment, Window

__all__ = ["Late"]

log = logging.getLogger("annul.replica")


class Late:
    """Decides about answers after Δ, and counts them. Any number of threads ask."""

    def __init__(self, *, max_staleness: float, accept_for: float) -> None:
        self._max_staleness = max_staleness
        self._accept_for = accept_for
        self._lock = threading.Lock()
        self._warned_of: Moment | None = None
        self.accepted = 0
        self.refused = 0

    def accepts(self, window: Window, now: Moment) -> bool:
        """Whether a good token is accepted by way of exception, which is counted then."""
        if not answers_late(window, self._accept_for, now):
            return False
        with self._lock:
            self.accepted += 1
            # Every answer of one outage goes back to the same renewal, the last one before it.
            is_first = self._warned_of != window.started
            self._warned_of = window.started
        if is_first:
            log.warning(
                "no renewal for more than %g s; accepting tokens until %g s have passed, even those"
                " that have been revoked meanwhile (accept_for)",
                self._max_staleness,
                self._max_staleness + self._accept_for,
            )
        return True

    def refuse(self) -> None:
        """Take note of a verification that could not be answered."""
        with self._lock:
            self.refused += 1
