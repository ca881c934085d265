"""Which proofs have been used: each is good once, for as long as it is good at all."""

from __future__ import annotations

from math import ceil
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from annul.core.claims import system_clock
from annul.errors import Misconfigured, TooManyProofs

if TYPE_CHECKING:
    from annul.core.claims import Clock

__all__ = ["ProofMemory", "ReplayMemory"]

_SLOT = 8  # seconds
_KEPT_BYTES = 16


class ProofMemory(Protocol):
    """**Protocol:** remembers which proofs have been used, for one process or for several."""

    def seen(self, digest: bytes, until: float) -> bool:
        """Return whether a proof was used before, and remember it, in one step.

        ``digest`` is 32 bytes that stand for the proof, ``until`` the Unix time after which nobody
        accepts it anyway. Of two callers at the same moment only one may hear ``False``.

        It is called from any thread. Only ``False`` accepts the proof; a coroutine, say, does not.
        What it raises comes out as it is: raise ``annul.Unavailable`` if it cannot tell.
        """


class ReplayMemory:
    """Remembers the proofs that this process has accepted. Thread-safe, bounded.

    ``capacity`` is how many proofs fit; each takes about 130 bytes until it is forgotten.

    When it is full, ``seen`` raises ``TooManyProofs`` and counts it in ``refused``: forgetting a
    proof early would let whoever can make many proofs use a stolen one again, so it is the service
    that suffers and not the promise. A proof gets here only after its access token has been
    verified, and the default capacity is more than one process can check in the 70 seconds of the
    default window, at 70 microseconds each.

    It does not know what other processes have accepted: with several, a proof is good once at each
    of them. Give them something shared instead, a ``ProofMemory``.
    """

    __slots__ = (
        "_capacity",
        "_clock",
        "_count",
        "_forgotten",
        "_lock",
        "_slots",
        "_swept",
        "refused",
    )

    def __init__(self, capacity: int = 1_000_000, *, clock: Clock = system_clock) -> None:
        if isinstance(capacity, bool) or not isinstance(capacity, int) or capacity < 1:
            raise Misconfigured("capacity is how many proofs to remember, 1 or more")
        if not callable(clock):
            raise Misconfigured("clock is something that returns Unix time in seconds")
        self._capacity = capacity
        self._clock = clock
        self._lock = Lock()
        self._slots: dict[int, set[bytes]] = {}
        self._count = 0
        self._swept = self._forgotten = 0
        self.refused = 0

    def seen(self, digest: bytes, until: float) -> bool:
        """Return whether this proof was used before, and remember it until that Unix time."""
        mark, slot = digest[:_KEPT_BYTES], ceil(until / _SLOT)
        with self._lock:
            self._forget()
            # What may have been forgotten counts as used: a clock that was set back brings
            # proofs to life again that nobody remembers.
            if slot <= self._forgotten or any(mark in marks for marks in self._slots.values()):
                return True
            if self._count >= self._capacity:
                self.refused += 1
                raise TooManyProofs("too many proofs are remembered already; try again")
            self._slots.setdefault(slot, set()).add(mark)
            self._count += 1
            return False

    def _forget(self) -> None:
        # A slot holds proofs that are good until its end at the latest, that moment included.
        passed = ceil(self._clock() / _SLOT) - 1
        if passed == self._swept:
            return
        self._swept = passed
        for slot in [slot for slot in self._slots if slot <= passed]:
            self._count -= len(self._slots.pop(slot))
            self._forgotten = max(self._forgotten, slot)

    def __len__(self) -> int:
        """How many proofs are remembered now."""
        return self._count

    def __repr__(self) -> str:
        return f"<ReplayMemory of {self._count} proofs>"
