"""The keyring: private keys and their life cycle, pending → active → retiring → gone.

*Publish before sign*: a new token key is in the JWKS for a full cache lifetime before its first
use, and the old one stays until the longest token signed by it has expired. So an unknown ``kid``
is an attack or a mistake, and a verifier never has to fetch anything to decide.

States are computed from times and nothing has to run at midnight. Every change gives a new ring
with the next version; a store swaps it in only if nobody else changed it meanwhile.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from annul.core.encoding import b64url_encode
from annul.core.jwk import PrivateKey
from annul.core.jwks import JWKS
from annul.core.revocation import CLOCK_SKEW, MAX_LEEWAY
from annul.errors import InvalidKey, InvalidRequest, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KeyState", "Keyring", "Purpose", "RingKey"]

SECRET_BYTES = 32
_SECRET_ID_BYTES = 6


class Purpose(StrEnum):
    """What a key may be used for; a key of one purpose is never used for another."""

    TOKEN = "token"  # noqa: S105 - a purpose, not a token
    HANDLE = "handle"
    FEED = "feed"


class KeyState(StrEnum):
    """Where a key is in its life."""

    PENDING = "pending"
    ACTIVE = "active"
    RETIRING = "retiring"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class RingKey:
    """One key of the ring. Times are Unix seconds; ``None`` means not decided yet.

    It signs from ``activates_at`` until ``retires_at`` and is trusted until ``gone_at``.
    """

    kid: str
    purpose: Purpose
    alg: str
    material: PrivateKey | bytes = field(repr=False)
    created_at: float
    activates_at: float
    retires_at: float | None = None
    gone_at: float | None = None

    def state(self, now: float) -> KeyState:
        """Return the state the key is in at ``now``."""
        if self.gone_at is not None and now >= self.gone_at:
            return KeyState.GONE
        if self.retires_at is not None and now >= self.retires_at:
            return KeyState.RETIRING
        return KeyState.ACTIVE if now >= self.activates_at else KeyState.PENDING


@dataclass(frozen=True, slots=True)
class Keyring:
    """All keys of one authority, immutable. ``version`` counts the changes.

    ``revoked`` holds every key id that was ever revoked: none can come back.
    """

    version: int = 0
    keys: tuple[RingKey, ...] = ()
    revoked: frozenset[str] = frozenset()

    # --- reading ----------------------------------------------------------------------

    def signing_key(self, now: float) -> PrivateKey:
        """Return the token key that signs at ``now``; ``Misconfigured`` if there is none."""
        key = self._current(Purpose.TOKEN, now)
        if key is None or not isinstance(key.material, PrivateKey):
            raise Misconfigured("the keyring has no active token key; rotate or import one")
        return key.material

    def has(self, purpose: Purpose, now: float) -> bool:
        """Whether a key is in use for a purpose at ``now``."""
        return self._current(purpose, now) is not None

    def secret(self, purpose: Purpose, now: float) -> tuple[str, bytes]:
        """Return the id and the bytes of the secret that is in use at ``now``.

        ``HANDLE`` is what refresh tokens are minted with, ``FEED`` what entries are proven with.
        """
        key = self._current(purpose, now)
        if key is None or not isinstance(key.material, bytes):
            raise Misconfigured(f"the keyring has no active {purpose} key")
        return key.kid, key.material

    def find_secret(self, purpose: Purpose, kid: str) -> bytes | None:
        """Return the bytes of a secret, ``None`` if the ring does not have it."""
        for key in self.keys:
            if key.kid == kid and key.purpose is purpose:
                return key.material if isinstance(key.material, bytes) else None
        return None

    def jwks(self, now: float) -> JWKS:
        """Return the public keys that verifiers should trust at ``now``, pending ones included."""
        return JWKS(
            key.material.public
            for key in self.keys
            if isinstance(key.material, PrivateKey) and key.state(now) is not KeyState.GONE
        )

    def published(self, now: float) -> str:
        """Return what replicas are told: the JWKS, and when they stop to trust which key."""
        ends = {key.kid: key.gone_at for key in self.keys if key.gone_at is not None}
        return json.dumps({"keys": [key.to_jwk() for key in self.jwks(now)], "gone_at": ends})

    def steady_until(self, now: float) -> float:
        """Return when the next key changes its state by itself; until then answers stay good."""
        moments = (
            moment
            for key in self.keys
            for moment in (key.activates_at, key.retires_at, key.gone_at)
            if moment is not None and moment > now
        )
        return min(moments, default=float("inf"))

    def _current(self, purpose: Purpose, now: float) -> RingKey | None:
        active = [
            key for key in self.keys if key.purpose is purpose and key.state(now) is KeyState.ACTIVE
        ]
        return max(active, key=lambda key: (key.activates_at, key.kid), default=None)

    # --- changing ---------------------------------------------------------------------

    def add(
        self, key: PrivateKey, *, now: float, publish_for: float, longest_token: float
    ) -> Keyring:
        """Return a ring in which ``key`` signs after ``publish_for`` seconds in the JWKS.

        The keys that sign now retire at that moment, and are gone when the longest token they
        may have signed has expired everywhere. The very first key signs at once: there is nobody
        yet who could have cached a set without it.

        Raises ``InvalidKey`` for a key that was revoked, and ``InvalidRequest`` for one that the
        ring already has.
        """
        if key.kid in self.revoked:
            raise InvalidKey("this key was revoked; a revoked key can never come back")
        if any(known.kid == key.kid for known in self.keys):
            raise InvalidRequest("the keyring already has this key")
        first = self._current(Purpose.TOKEN, now) is None
        at_once = first or publish_for <= 0
        starts = _at_once(now) if at_once else now + publish_for
        added = RingKey(key.kid, Purpose.TOKEN, key.alg, key, now, starts)
        until = max(now, starts) + _afterlife(longest_token)
        return self._with(added, ends=starts, trusted_until=until)

    def add_secret(
        self,
        purpose: Purpose,
        *,
        now: float,
        needed_for: float,
        entropy: Callable[[int], bytes],
    ) -> Keyring:
        """Return a ring that uses a fresh secret for a purpose from now on.

        The one before stays readable for ``needed_for`` seconds: the longest session that may
        still present what was made with it.
        """
        kid = b64url_encode(entropy(_SECRET_ID_BYTES))
        starts = _at_once(now)
        added = RingKey(kid, purpose, "HS256", entropy(SECRET_BYTES), now, starts)
        return self._with(added, ends=starts, trusted_until=now + _afterlife(needed_for))

    def revoke(self, kid: str, *, now: float) -> Keyring:
        """Return a ring without a token key, which can never be added again.

        Keys that were to retire when it took over go on signing, unless they are gone. If none is
        left that can sign, ``signing_key`` says so: add one first. Raises ``InvalidRequest`` for a
        key of another purpose.
        """
        if any(key.kid == kid and key.purpose is not Purpose.TOKEN for key in self.keys):
            raise InvalidRequest("this is not a signing key, so no token was verified with it")
        revoked = next((key for key in self.keys if key.kid == kid), None)

        def resume(key: RingKey) -> RingKey:
            if (
                revoked is None
                or key.purpose is not Purpose.TOKEN
                or key.retires_at != revoked.activates_at
                or key.state(now) is KeyState.GONE
                # Where somebody else signs already, there is nothing to go on with.
                or revoked.state(now) in {KeyState.RETIRING, KeyState.GONE}
            ):
                return key
            # In the place of the revoked key, it also hands over to that key's successor.
            return replace(key, retires_at=revoked.retires_at, gone_at=revoked.gone_at)

        left = _with_a_last_one([resume(key) for key in self.keys if key.kid != kid], now)
        return replace(self, version=self.version + 1, keys=left, revoked=self.revoked | {kid})

    def trusted_for(self, longest_token: float, *, now: float) -> Keyring:
        """Return a ring whose keys outlive tokens of this lifetime, if they may still sign them.

        The same ring if they do anyway.
        """

        def prolong(key: RingKey) -> RingKey:
            if key.purpose is not Purpose.TOKEN or key.retires_at is None or key.gone_at is None:
                return key
            needed = key.retires_at + _afterlife(longest_token)
            if now >= key.retires_at or key.gone_at >= needed:
                return key
            return replace(key, gone_at=needed)

        keys = tuple(map(prolong, self.keys))
        return self if keys == self.keys else replace(self, version=self.version + 1, keys=keys)

    def activate_pending(self, now: float) -> Keyring:
        """Return a ring that can sign at once if it has a pending token key, for an emergency."""
        if self.has(Purpose.TOKEN, now):
            return self
        pending = [
            key
            for key in self.keys
            if key.purpose is Purpose.TOKEN and key.state(now) is KeyState.PENDING
        ]
        if not pending:
            return self
        chosen = max(pending, key=lambda key: key.activates_at)
        keys = tuple(
            replace(key, activates_at=_at_once(now)) if key is chosen else key for key in self.keys
        )
        return replace(self, version=self.version + 1, keys=keys)

    def as_version(self, version: int) -> Keyring:
        """Return the same keys as another version."""
        return replace(self, version=version)

    def without_gone(self, now: float) -> Keyring:
        """Return a ring without the keys that are gone; the same ring if none is."""
        left = tuple(key for key in self.keys if key.state(now) is not KeyState.GONE)
        if len(left) == len(self.keys):
            return self
        return replace(self, version=self.version + 1, keys=left)

    def _with(self, added: RingKey, *, ends: float, trusted_until: float) -> Keyring:
        def retire(key: RingKey) -> RingKey:
            if key.purpose is not added.purpose or key.retires_at is not None:
                return key
            return replace(key, retires_at=ends, gone_at=trusted_until)

        keys = (*(retire(key) for key in self.keys), added)
        return replace(self, version=self.version + 1, keys=keys)


def _with_a_last_one(keys: list[RingKey], now: float) -> tuple[RingKey, ...]:
    """Let the youngest key that signs, or is going to, go on where nobody would take over."""
    live = [
        key
        for key in keys
        if key.purpose is Purpose.TOKEN and key.state(now) in {KeyState.PENDING, KeyState.ACTIVE}
    ]
    if live and all(key.retires_at is not None for key in live):
        last = max(live, key=lambda key: (key.activates_at, key.kid))
        keys = [replace(key, retires_at=None, gone_at=None) if key is last else key for key in keys]
    return tuple(keys)


def _at_once(now: float) -> float:
    # An authority whose clock is behind must be able to use the key as well. Each of the two may
    # differ from the store's by the whole allowance.
    return now - 2 * CLOCK_SKEW


def _afterlife(longest: float) -> float:
    return longest + MAX_LEEWAY + 2 * CLOCK_SKEW
