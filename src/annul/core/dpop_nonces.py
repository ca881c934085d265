"""Nonces that a server hands out without remembering them (RFC 9449 §8, §9)."""

from __future__ import annotations

import os
from hmac import compare_digest
from hmac import digest as hmac_digest
from typing import TYPE_CHECKING, NoReturn

from annul.core.claims import system_clock
from annul.core.encoding import b64url_encode
from annul.core.handle import as_plain
from annul.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.claims import Clock

__all__ = ["DPoPNonces"]

_KEY_BYTES = 32
_NONCE_BYTES = 16
_LONGEST_PERIOD = 3600


class DPoPNonces:
    """The nonces of one server. A proof without a recent one is answered with ``UseDPoPNonce``.

    A nonce is a MAC of the time under ``key``, so nothing is stored. It is new every ``period``
    seconds, and the one before is good too: a proof cannot have been made more than two periods
    ago, nor kept for later, whatever clock its maker has.

    ``key`` is 32 secret bytes or more. Processes that answer for one server need the same one; by
    default it is new, which suits a single process. An authorization server and a resource server
    have nonces of their own (RFC 9449 §8), so give them different keys.
    """

    __slots__ = ("_clock", "_key", "_known", "_period")

    def __init__(
        self,
        key: bytes | None = None,
        *,
        period: float = 300,
        clock: Clock = system_clock,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        if key is None:
            key = entropy(_KEY_BYTES)
        if not isinstance(key, bytes) or len(key) < _KEY_BYTES:
            raise Misconfigured(f"key must be at least {_KEY_BYTES} secret bytes")
        if isinstance(period, bool) or not isinstance(period, int | float):
            raise Misconfigured("period is a number of seconds")
        if not 1 <= period <= _LONGEST_PERIOD:
            raise Misconfigured(f"period must be 1 to {_LONGEST_PERIOD} seconds")
        if not callable(clock):
            raise Misconfigured("clock is something that returns Unix time in seconds")
        self._key = key
        self._period = period
        self._clock = clock
        # The last answer in one object, so that threads never see half of it.
        self._known: tuple[int, str, str] | None = None

    def current(self) -> str:
        """Return the nonce to hand out now, as ``DPoP-Nonce``."""
        return self._pair()[1]

    def accepts(self, nonce: object) -> bool:
        """Whether ``nonce`` is the current one or the one before. Any object is an answer: no."""
        text = as_plain(nonce)
        _number, current, previous = self._pair()
        # Only ASCII can be compared in constant time, and no nonce is anything else.
        return text.isascii() and compare_digest(text, current) | compare_digest(text, previous)

    def _pair(self) -> tuple[int, str, str]:
        number = int(self._clock() // self._period)
        known = self._known
        if known is None or known[0] != number:
            known = self._known = (number, self._make(number), self._make(number - 1))
        return known

    def _make(self, number: int) -> str:
        text = b"annul DPoP nonce v1:%d" % number
        return b64url_encode(hmac_digest(self._key, text, "sha256")[:_NONCE_BYTES])

    def __repr__(self) -> str:
        return f"DPoPNonces(period={self._period!r})"

    def __reduce__(self) -> NoReturn:
        """Refuse: the key is a secret and does not travel by accident."""
        raise TypeError("DPoPNonces cannot be pickled; give both processes the key")
