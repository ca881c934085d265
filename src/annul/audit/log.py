"""Writes an audit log: what a verb has done is on the disk before the verb returns.

Lines that come at the same time share one ``fsync``. Several processes may share one file: whoever
adds holds its lock, and reads first how the file ends if somebody else has added meanwhile.

When the disk refuses, what has been done cannot be undone, so its line is *owed*: kept in memory,
and written before any other as soon as that is possible. Until then whatever gives something out
is refused before it is begun (``ready``), and whatever takes something back goes on.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import weakref
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annul.audit.chain import BEGINNING, compose, torn
from annul.audit.files import End, adding_to, check_file, end_of, sync_folder, write_whole
from annul.core.encoding import EncodingError
from annul.core.events import Missed
from annul.errors import AuditUnavailable, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from annul.core.events import Event

__all__ = ["AuditLog"]

log = logging.getLogger("annul.audit")

_MOST_OWED = 100_000
_AT_ONCE = 1000

_logs: weakref.WeakSet[AuditLog] = weakref.WeakSet()


class AuditLog:
    """The audit log at ``path``. Thread-safe, and usable after ``fork``.

    The file is made if there is none, readable by its owner only. Raises ``Misconfigured`` if a log
    cannot be kept there.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, fsync: Callable[[int], object] = os.fsync
    ) -> None:
        if not isinstance(path, str | os.PathLike):
            raise Misconfigured("audit_file is the path of a file")
        self.path = Path(path).absolute()  # wherever the process goes meanwhile
        self._fsync = fsync
        self._place = BEGINNING
        self._known: tuple[int, int, int] | None = None
        self._afresh()
        check_file(self.path)
        try:
            self._add([])
        except EncodingError:
            raise Misconfigured(f"{self.path} does not end like an audit log") from None
        except OSError as error:
            why = os.strerror(error.errno or 0).lower()
            raise Misconfigured(f"cannot keep the audit log {self.path}: {why}") from None
        _logs.add(self)

    def _afresh(self) -> None:
        self._lock = threading.Lock()
        self._owed: deque[dict[str, Any]] = deque()
        self._missed = 0
        self._refused = False
        self._fd: int | None = None
        self._pool: ThreadPoolExecutor | None = None
        self._starting = threading.Lock()

    # --- what the authority calls -----------------------------------------------------

    def tell(self, event: Event) -> None:
        """Have a line written soon, for what nobody waits for."""
        self._take(event)
        self._submit()

    async def record(self, *events: Event) -> None:
        """Return when the lines are on the disk, or are owed because the disk refuses."""
        for event in events:
            self._take(event)
        written = self._submit()
        if written is not None:
            await asyncio.wrap_future(written)

    async def ready(self) -> None:
        """Raise ``AuditUnavailable`` if lines are owed and still cannot be written."""
        if self._refused and (written := self._submit()) is not None:
            await asyncio.wrap_future(written)
        if self._refused:
            raise AuditUnavailable(
                f"the audit log {self.path} cannot be written, so nothing is given out"
            )

    def settle(self, timeout: float) -> bool:
        """Wait until what was told has been written, at most ``timeout`` s; say whether it has."""
        written = self._submit()
        if written is not None:
            try:
                written.result(timeout)
            except TimeoutError:
                return False
        return not self._owed

    def close(self) -> None:
        """Give up the thread; what is told later starts it again."""
        with self._starting:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=False)

    # --- on a thread of its own -------------------------------------------------------

    def _take(self, event: Event) -> None:
        if len(self._owed) >= _MOST_OWED:
            self._missed += 1
        else:
            self._owed.append(event.as_dict())

    def _submit(self) -> Future[None] | None:
        """Begin to write what is owed; ``None`` if it has been done at once."""
        with self._starting:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="annul-audit")
            try:
                return self._pool.submit(self._write)
            except RuntimeError:  # Python shuts down
                self._pool = None
        self._write()
        return None

    def _write(self) -> None:
        """Write what is owed, or as much of it as the disk takes."""
        with self._lock:
            while self._owed:
                members = list(islice(self._owed, _AT_ONCE))
                try:
                    written = self._add(members)
                except (OSError, EncodingError) as error:
                    self._known = None
                    self._refuse(type(error).__name__)
                    return
                for _ in range(written):
                    self._owed.popleft()
                if written < len(members):
                    self._refuse("no room")
                    return
                if self._missed and not self._owed:
                    missed = Missed(at=members[-1]["at"], count=self._missed)
                    self._missed = 0
                    self._owed.append(missed.as_dict())
            if self._refused:
                log.warning("the audit log %s can be written again", self.path)
            self._refused = False

    def _refuse(self, why: str) -> None:
        if not self._refused:
            log.error("cannot write the audit log %s: %s", self.path, why)
        self._refused = True

    def _add(self, members: list[dict[str, Any]]) -> int:
        """Add lines and return how many were written whole and are on the disk."""
        with adding_to(self.path, opened=self._hold) as fd:
            size = os.fstat(fd).st_size
            place, piece, lead = self._end(fd)
            if not members:
                return 0
            data, ends = lead, []
            if piece is not None:
                line, place = compose(place, torn(piece, members[0]["at"]))
                data += line
            for each in members:
                line, place = compose(place, each)
                data += line
                ends.append(len(data) - 1)  # without its line feed it is whole, too
            self._known = None
            written = write_whole(fd, data)
            whole = sum(end <= written for end in ends)
            if whole:
                self._fsync(fd)
                if size == 0:
                    sync_folder(self.path)
            if written == len(data):
                self._place, self._known = place, _state(fd)
            return whole

    def _hold(self, fd: int | None) -> None:
        self._fd = fd

    def _end(self, fd: int) -> End:
        """Return how the file ends, which is read only if somebody else has added to it."""
        if self._known == _state(fd):
            return End(self._place, None, b"")
        try:
            end = end_of(fd)
        except EncodingError:
            if not self._place.seq:
                raise
            end = End(BEGINNING, None, b"\n")
        if end.place.seq < self._place.seq or (
            end.place.seq == self._place.seq and end.place != self._place
        ):
            # Going on from what was written here is what makes it show.
            log.error("the audit log %s has been cut, moved or changed", self.path)
            return End(self._place, None, end.lead)
        self._place = end.place
        if end.piece is None and not end.lead:
            self._known = _state(fd)
        return end

    def after_fork(self) -> None:
        """Leave what is owed, and the lock, to the parent."""
        if self._fd is not None:
            os.close(self._fd)
        self._afresh()


def _state(fd: int) -> tuple[int, int, int]:
    found = os.fstat(fd)
    return found.st_dev, found.st_ino, found.st_size


def _after_fork() -> None:
    for each in _logs:
        each.after_fork()


os.register_at_fork(after_in_child=_after_fork)
