"""One background event loop per process, through which blocking code calls the async side.

The loop's thread starts at the first call, is started afresh in a forked child, and never keeps a
process from exiting: callers that are still waiting then get an error instead of hanging.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures.thread  # noqa: F401 - see the end of this file
import contextlib
import os
import threading
from concurrent.futures import CancelledError
from concurrent.futures import Future as ThreadFuture
from typing import TYPE_CHECKING, Any, TypeVar

from annul.errors import AnnulError, Misconfigured, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["Portal", "portal"]

T = TypeVar("T")


class Portal:
    """Runs coroutines on a background loop for callers in ordinary threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[object]] = set()
        self._thread: threading.Thread | None = None
        self._closing = False

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run ``work`` on the background loop and return what it returns.

        Raises ``Misconfigured`` when called from a running event loop, which it would block, and
        ``Unavailable`` when the process is shutting down.
        """
        if asyncio._get_running_loop() is not None:  # noqa: SLF001 - the cheap form, see its docs
            work.close()
            raise Misconfigured(
                "this would block the running event loop; use AsyncAuthority and await it"
            )
        try:
            return self.submit(work).result()
        except CancelledError:
            raise Unavailable("the process is shutting down") from None

    def submit(self, work: Coroutine[Any, Any, T]) -> ThreadFuture[T]:
        """Start ``work`` on the background loop and return a future for its result."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self._running_loop())
        except (RuntimeError, AnnulError):
            # Python may refuse to start a thread while it shuts down.
            work.close()
            raise Unavailable("the process is shutting down") from None

    def post(self, make: Callable[[], Coroutine[Any, Any, object]]) -> None:
        """Start what ``make`` makes, if the loop runs; take no lock and wait for nothing.

        For finalizers, which may run on any thread and inside any lock. Where no loop runs, in a
        forked child for example, there is nothing that one would have to close.
        """
        loop = self._loop
        if loop is None or self._closing:
            return
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: self._posted(loop.create_task(make())))

    def _posted(self, task: asyncio.Task[object]) -> None:
        # The loop itself holds tasks weakly.
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closing:
                raise Unavailable("the process is shutting down")
            if self._loop is None:
                loop = asyncio.new_event_loop()
                thread = threading.Thread(
                    target=self._serve, args=(loop,), name="annul", daemon=True
                )
                thread.start()
                self._loop, self._thread = loop, thread
            return self._loop

    @staticmethod
    def _serve(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
        finally:
            pending = asyncio.all_tasks(loop)
            for task in pending:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))
            loop.close()

    def close(self) -> None:
        """Cancel what is running and stop. Called once, when the process exits."""
        with self._lock:
            self._closing = True
            loop, thread = self._loop, self._thread
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(timeout=2.0)

    def after_fork(self) -> None:
        """Forget the parent's loop: its thread does not exist in this process."""
        self._lock = threading.Lock()
        self._loop = None
        self._tasks = set()
        self._thread = None


portal = Portal()
"""The one portal of this process."""

os.register_at_fork(after_in_child=portal.after_fork)
# The executors' own hook has been registered by the import above, so this one runs before it.
# Ordinary atexit handlers run only after non-daemon threads have been joined, and such a thread
# may be waiting in call(); this hook runs before. It is private, so there is a second choice.
getattr(threading, "_register_atexit", atexit.register)(portal.close)
