"""The keeper: does an authority's chores in the background, on whatever loop the authority runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import weakref
from typing import TYPE_CHECKING

from annul.errors import AnnulError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    Chore = Callable[[], Coroutine[Any, Any, object]]

__all__ = ["Keeper"]

log = logging.getLogger("annul.authority")

_SHORTEST, _LONGEST = 0.25, 1.0


class Keeper:
    """Runs chores every ``every`` seconds, at least once a second, until it is stopped.

    It holds on to the owner of a chore only while the chore runs: an authority that nobody uses
    any more is not kept alive by its keeper.
    """

    def __init__(self, *, every: float) -> None:
        self._every = max(_SHORTEST, min(every, _LONGEST))
        self._task: asyncio.Task[None] | None = None
        self._pid = os.getpid()
        self._stopped = False

    def keep(self, *chores: Chore) -> None:
        """Do these from now on, unless that is going on already in this process, or is over."""
        going_on = self._task is not None and not self._task.done() and self._pid == os.getpid()
        if not going_on and not self._stopped:
            references = tuple(weakref.WeakMethod(chore) for chore in chores)
            self._pid = os.getpid()
            self._task = asyncio.get_running_loop().create_task(_work(references, self._every))

    def stop(self) -> None:
        """Do nothing any more."""
        self._stopped = True
        if self._task is not None and self._pid == os.getpid():
            # Another loop may have run it, and may be closed.
            with contextlib.suppress(RuntimeError):
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)


async def _work(references: tuple[weakref.WeakMethod[Chore], ...], every: float) -> None:
    while True:
        await asyncio.sleep(every)
        for reference in references:
            chore = reference()
            if chore is None:
                return
            try:
                await chore()
            except AnnulError as error:
                log.debug("a chore has to wait (%s)", type(error).__name__)
            except Exception:
                log.exception("a chore failed; it will be tried again")
            del chore
