"""Every watch of one verifier, found by what an entry of the log may be about.

A batch of entries touches only the watches that it concerns: they are kept by the fingerprints of
their token, session, subject and client, and by when they run out. Whether one has really ended is
asked of the verifier itself, so a watch ends with the error that ``verify`` would raise.

A watch is entered here first and judged again afterwards. An entry that is applied meanwhile either
finds it here, or is known by the time it is judged: none can fall in between.
"""

from __future__ import annotations

import heapq
import threading
from itertools import count
from typing import TYPE_CHECKING

from annul.core.revocation import Fingerprinter, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from annul.core.claims import VerifiedToken
    from annul.core.revocation import Revocation
    from annul.errors import AnnulError
    from annul.replica.watch import Held, Watch

__all__ = ["Watches"]

_SLACK = 1000


class Watches:
    """The watches of one verifier. Any thread enters and leaves; one thread ends them."""

    def __init__(self, issuer: str) -> None:
        self.lock = threading.Lock()
        self._fingerprint = Fingerprinter(issuer)
        # Most marks are of one watch only, and a set takes more room than the watch itself.
        self._by: dict[bytes, Watch | set[Watch]] = {}
        self._marks: dict[Watch, tuple[bytes, ...]] = {}
        # Those that have left stay here until they are found, or until they are too many.
        self._ends: list[tuple[float, int, Watch, Held]] = []
        self._number = count()

    def __len__(self) -> int:
        return len(self._marks)

    # --- entering and leaving ---------------------------------------------------------

    def enter(self, watch: Watch, held: Held) -> None:
        """Keep a watch by ``held``, in place of what it was kept by; not if it has ended."""
        marks = self._marks_of(held.token)
        ends = held.token._ends  # noqa: SLF001 - the very moment at which verify refuses it
        with self.lock:
            if watch.reason is not None:
                return
            self._remove(watch)
            watch.held = held
            self._marks[watch] = marks
            for mark in marks:
                there = self._by.get(mark)
                if there is None:
                    self._by[mark] = watch
                elif isinstance(there, set):
                    there.add(watch)
                else:
                    self._by[mark] = {there, watch}
            heapq.heappush(self._ends, (ends, next(self._number), watch, held))
            self._tidy()

    def leave(self, watch: Watch) -> None:
        """Keep it no more. Leaving twice is harmless."""
        with self.lock:
            self._remove(watch)

    def _marks_of(self, token: VerifiedToken) -> tuple[bytes, ...]:
        named = (
            (Kind.TOKEN, token.jti),
            (Kind.SESSION, token.session_id),
            (Kind.SUBJECT, token._claims.get("sub")),  # noqa: SLF001 - a policy may not require it
            (Kind.CLIENT, token.client_id),
        )
        return tuple(self._fingerprint(kind, value) for kind, value in named if value is not None)

    def _remove(self, watch: Watch) -> None:
        for mark in self._marks.pop(watch, ()):
            there = self._by[mark]
            if isinstance(there, set):
                there.discard(watch)
                if there:
                    continue
            del self._by[mark]

    def _tidy(self) -> None:
        if len(self._ends) > 2 * len(self._marks) + _SLACK:
            self._ends = [entry for entry in self._ends if self._is_current(entry)]
            heapq.heapify(self._ends)

    def _is_current(self, entry: tuple[float, int, Watch, Held]) -> bool:
        return entry[2] in self._marks and entry[2].held is entry[3]

    # --- finding ----------------------------------------------------------------------

    def concerned(self, entries: Iterable[Revocation]) -> list[Watch]:
        """Return the watches that entries may be about. A key's are found by ``with_keys_gone``."""
        found: set[Watch] = set()
        with self.lock:
            for entry in entries:
                if entry.kind is Kind.ISSUER:
                    return list(self._marks)
                there = self._by.get(entry.fingerprint)
                if isinstance(there, set):
                    found |= there
                elif there is not None:
                    found.add(there)
        return list(found)

    def with_keys_gone(self, trusted: frozenset[str]) -> list[Watch]:
        """Return the watches whose token was signed with a key that is not among those."""
        with self.lock:
            return [watch for watch in self._marks if watch.held.token.key_id not in trusted]

    def due(self, now: float) -> list[Watch]:
        """Return the watches whose token has run out by ``now``, once."""
        found = []
        with self.lock:
            while self._ends and self._ends[0][0] <= now:
                entry = heapq.heappop(self._ends)
                if self._is_current(entry):
                    found.append(entry[2])
        return found

    def next_due(self) -> float | None:
        """Return when the next token runs out, or earlier; ``None`` if there is none."""
        with self.lock:
            return self._ends[0][0] if self._ends else None

    def everyone(self) -> list[Watch]:
        """Return all of them."""
        with self.lock:
            return list(self._marks)

    # --- ending -----------------------------------------------------------------------

    def end(self, ended: Iterable[tuple[Watch, Held | None, AnnulError]]) -> list[Watch]:
        """Take those out for the reasons given, and return them.

        The reason is about what was held when it was found; ``None`` stands for whatever is held.
        One that has left, or holds something else by now, goes on.
        """
        with self.lock:
            gone = []
            for watch, held, reason in ended:
                if watch in self._marks and (held is None or held is watch.held):
                    self._remove(watch)
                    # Without the frames that it passed through, which hold on to a lot.
                    watch.reason = reason.with_traceback(None)
                    gone.append(watch)
            return gone

    def abandon(self, reasons: Callable[[], AnnulError]) -> None:
        """End all of them in a forked child, where nobody of those who wait for them is."""
        self.lock = threading.Lock()  # it may have been held at the moment of the fork
        for watch in self._marks:
            watch.reason = reasons()
        self._by, self._marks, self._ends = {}, {}, []
