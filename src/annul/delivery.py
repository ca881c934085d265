"""Hands events to a listener, on a thread of its own and in their order.

Whoever tells of an event waits for nothing: neither for a slow listener nor for a broken one. What
a listener is too slow for is dropped, counted, and told as ``Missed``. Who must not miss anything
keeps an audit log (``annul.audit``).
"""

from __future__ import annotations

import inspect
import logging
import os
import threading
import weakref
from collections import deque
from typing import TYPE_CHECKING, Protocol

from annul.core.events import Missed
from annul.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.events import Event

__all__ = ["Delivery", "Sink"]

log = logging.getLogger("annul.events")

_ROOM = 10_000
_IDLE = 5.0

_deliveries: weakref.WeakSet[Delivery] = weakref.WeakSet()


class Sink(Protocol):
    """**Protocol:** where events go."""

    def tell(self, event: Event) -> None:
        """Take an event. Waits for nothing and raises nothing."""
        ...

    def settle(self, timeout: float) -> bool:
        """Wait until what was told has been taken, at most ``timeout`` s; say whether it has."""
        ...


class Delivery:
    """Calls ``listener`` with each event. Thread-safe, and usable after ``fork``.

    ``room`` is how many events may wait. What the listener raises is logged. Raises
    ``Misconfigured`` for what cannot be called, or is a coroutine function that nobody would await.
    """

    def __init__(self, listener: Callable[[Event], object], *, room: int = _ROOM) -> None:
        if not callable(listener):
            raise Misconfigured("events is called with each event: queue.put, for example")
        if inspect.iscoroutinefunction(listener):
            raise Misconfigured(
                "events is called on a thread, where nothing awaits it: hand the event to your loop"
                " with loop.call_soon_threadsafe(queue.put_nowait, event)"
            )
        self._listener = listener
        self._room = room
        self._afresh()
        _deliveries.add(self)

    def _afresh(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Event] = deque()
        self._missed = 0
        self._busy = False
        self._thread: threading.Thread | None = None

    def tell(self, event: Event) -> None:
        """Take an event for the listener, or count it if there is no room."""
        with self._changed:
            if len(self._waiting) >= self._room:
                self._missed += 1
                return
            self._waiting.append(event)
            if self._thread is not None:
                self._changed.notify_all()
                return
            thread = threading.Thread(target=self._run, name="annul-events", daemon=True)
            try:
                thread.start()
            except RuntimeError:
                return  # Python shuts down, and nobody listens any more
            self._thread = thread

    def settle(self, timeout: float) -> bool:
        """Wait until the listener has had everything, at most ``timeout`` s; say whether it has."""
        with self._changed:
            if self._thread is threading.current_thread():
                return False  # it is the listener itself who asks
            return self._changed.wait_for(lambda: not (self._waiting or self._busy), timeout)

    def _run(self) -> None:
        while batch := self._next():
            for event in batch:
                try:
                    self._listener(event)
                except Exception:
                    log.exception("the listener failed at the event %s", event.name)

    def _next(self) -> list[Event]:
        """Return what has come; nothing if that takes long, which ends the thread."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._waiting, _IDLE):
                self._thread = None
                return []
            self._busy = True
            batch = list(self._waiting)
            self._waiting.clear()
            if self._missed:
                batch.append(Missed(at=batch[-1].at, count=self._missed))
                self._missed = 0
            return batch

    def after_fork(self) -> None:
        """Forget, in a forked child, what the parent is going to deliver."""
        self._afresh()


def _after_fork() -> None:
    for delivery in _deliveries:
        delivery.after_fork()


os.register_at_fork(after_in_child=_after_fork)
