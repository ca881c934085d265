"""What an authority was told: checked once, then only read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from annul.core.algorithms import ALGORITHMS
from annul.core.claims import Clock, system_clock
from annul.core.issuer import check_ttl
from annul.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Settings"]

_DAY = 86_400
_MAX_SESSION = 400 * _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of an authority; times in seconds.

    ``session_ttl`` is a session's absolute limit and ``idle_ttl`` how long it may go unused;
    ``grace`` is how long a used refresh token is taken for a retry; ``publish_for`` is how long a
    new key is in the JWKS before it signs.
    """

    issuer: str
    audience: str | tuple[str, ...]
    algorithm: str = "ES256"
    access_ttl: int = 900
    session_ttl: int = 30 * _DAY
    idle_ttl: int = 7 * _DAY
    grace: float = 10.0
    publish_for: float = 300.0
    clock: Clock = system_clock
    entropy: Callable[[int], bytes] = os.urandom

    def __post_init__(self) -> None:
        if not isinstance(self.algorithm, str) or self.algorithm not in ALGORITHMS:
            raise Misconfigured(f"algorithm must be one of {', '.join(ALGORITHMS)}")
        check_ttl(self.access_ttl)
        _check(self.session_ttl, "session_ttl", self.access_ttl, _MAX_SESSION, whole=True)
        _check(self.idle_ttl, "idle_ttl", 1, _MAX_SESSION, whole=True)
        _check(self.grace, "grace", 0, 300)
        _check(self.publish_for, "publish_for", 0, _DAY)


def _check(value: object, name: str, least: float, most: float, *, whole: bool = False) -> None:
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not least <= value <= most:
        what = "whole seconds" if whole else "seconds"
        raise Misconfigured(f"{name} must be {what} from {least:g} to {most:g}")
