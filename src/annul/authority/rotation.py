"""Keys of an authority: made, rotated, imported, exported and revoked by compare-and-swap.

The ring in the store is the truth. This process keeps an opened copy and swaps in a changed one
only if nobody else has changed it meanwhile; otherwise it reads again and decides again.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from annul.core.issuer import Issuer
from annul.core.jwk import PrivateKey
from annul.core.keyring import Keyring, KeyState, Purpose
from annul.core.sealed_ring import pack, unpack
from annul.errors import InvalidRequest, StoreUnavailable
from annul.stores.base import PublishedKeys, StoredRing

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.authority.beside import Beside
    from annul.authority.kek import KekSource
    from annul.authority.settings import Settings
    from annul.core.jwks import JWKS
    from annul.core.sealing import SealingKey
    from annul.stores.base import Store

__all__ = ["KeyInfo", "Rotation"]

log = logging.getLogger("annul.authority")

_ATTEMPTS = 16
_PATIENCE = 20


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """One key of the ring, without its private part. Times are Unix seconds."""

    kid: str
    alg: str
    purpose: str
    state: KeyState
    created_at: float
    activates_at: float
    retires_at: float | None
    gone_at: float | None


class Rotation:
    """The keyring of one authority and everything that changes it."""

    def __init__(self, store: Store, settings: Settings, kek: KekSource) -> None:
        self._store = store
        self._settings = settings
        self._kek = kek
        self._sealing: SealingKey | None = None
        self._ring = Keyring()
        self._issuer: Issuer | None = None
        self._issuer_until = 0.0
        self._waited = 0
        self._replica: Beside | None = None
        self.published = PublishedKeys(0, '{"keys":[]}')

    def keep_time_with(self, replica: Beside) -> None:
        """Go by the store's time from now on, as the replica beside knows it."""
        self._replica = replica
        self._issuer = None

    def now(self) -> float:
        """Return store time, which is the same for every authority, in Unix seconds.

        Before the replica beside has heard from the store it is this machine's own time.
        """
        ahead = 0.0 if self._replica is None else self._replica.store_ahead
        return self._settings.clock() + ahead

    # --- reading ----------------------------------------------------------------------

    @property
    def ring(self) -> Keyring:
        """The ring as this process knows it."""
        return self._ring

    async def load(self) -> None:
        """Read the ring, and make the first keys if the store has none yet."""
        await self._reload()
        if not self._ring.version:
            await self.change(self._with_first_keys)
        longest = await self._longest_token()
        await self.change(
            lambda ring, now: self._with_secrets(
                ring.trusted_for(longest, now=now).without_gone(now), now
            )
        )

    async def restore(self, seen: int) -> None:
        """Put the ring that this process knows back into a store that has it no more.

        Versions only grow, so an older one than was ever ``seen`` is what a loss has left. Whoever
        knows the newest ring goes first; the others wait for a while.
        """
        stored = await self._store.ring()
        held = 0 if stored is None else stored.version
        if held > self._ring.version:
            await self._reload()
        newest = max(self._ring.version, seen)
        if not self._ring.version or held >= newest:
            self._waited = 0
            return
        if self._ring.version < newest and self._waited < _PATIENCE:
            self._waited += 1
            return
        if await self._swap(held, self._ring.as_version(newest + 1), self.now()):
            log.error("the store had lost its keyring; it has it again")

    async def catch_up(self, version: int) -> None:
        """Read the ring again if somebody is known to have changed it."""
        if version > self._ring.version:
            await self._reload()

    def issuer(self) -> Issuer:
        """Return the issuer that signs with the key that is active now."""
        now = self.now()
        if self._issuer is None or now >= self._issuer_until:
            settings = self._settings
            self._issuer = Issuer(
                key=self._ring.signing_key(now),
                issuer=settings.issuer,
                audience=settings.audience,
                ttl=settings.access_ttl,
                clock=settings.clock,
                entropy=settings.entropy,
            )
            self._issuer_until = self._ring.steady_until(now)
        return self._issuer

    def jwks(self) -> JWKS:
        """Return the public keys to publish now."""
        return self._ring.jwks(self.now())

    def list(self) -> tuple[KeyInfo, ...]:
        """Return every key of the ring that is not gone, oldest first."""
        now = self.now()
        return tuple(
            KeyInfo(
                key.kid,
                key.alg,
                key.purpose.value,
                key.state(now),
                key.created_at,
                key.activates_at,
                key.retires_at,
                key.gone_at,
            )
            for key in sorted(self._ring.keys, key=lambda key: key.created_at)
            if key.state(now) is not KeyState.GONE
        )

    def export(self, kid: str, password: bytes | None) -> bytes:
        """Return a token key as PKCS#8 PEM, encrypted if a password is given."""
        for key in self._ring.keys:
            if key.kid == kid and isinstance(key.material, PrivateKey):
                return key.material.to_pem(password=password)
        raise InvalidRequest("the keyring has no token key with this kid; list them first")

    # --- changing ---------------------------------------------------------------------

    async def add(self, key: PrivateKey, publish_for: float | None = None) -> str:
        """Add a key that takes over after it has been published long enough; return its kid."""
        wait = self._settings.publish_for if publish_for is None else publish_for
        longest = await self._longest_token()
        await self.change(
            lambda ring, now: ring.add(key, now=now, publish_for=wait, longest_token=longest)
        )
        return key.kid

    async def revoke(self, kid: str) -> None:
        """Take a key out for good, and make sure that another one signs from now on."""
        if kid in self._ring.revoked:
            return
        # Made beforehand, because making an RSA key takes a while and the change must not.
        fresh = await asyncio.to_thread(PrivateKey.generate, self._settings.algorithm)
        longest = await self._longest_token()

        def without(ring: Keyring, now: float) -> Keyring:
            if kid in ring.revoked:
                return ring
            left = ring.revoke(kid, now=now).activate_pending(now)
            if left.has(Purpose.TOKEN, now):
                return left
            return left.add(fresh, now=now, publish_for=0, longest_token=longest)

        await self.change(without)

    async def change(self, decide: Callable[[Keyring, float], Keyring]) -> None:
        """Swap in what ``decide`` makes of the ring; decide again if somebody was faster."""
        for _ in range(_ATTEMPTS):
            before = self._ring
            now = self.now()
            after = decide(before, now)
            if after is before:
                return
            # However many steps the decision took, it is one change of the stored ring.
            after = after.without_gone(now).as_version(before.version + 1)
            if await self._swap(before.version, after, now):
                return
            await self._reload()
        raise StoreUnavailable("the keyring is being changed by others all the time; try again")

    async def _longest_token(self) -> int:
        identity = await self._store.identity()
        return self._settings.access_ttl if identity is None else identity.longest_token

    async def _swap(self, expected: int, ring: Keyring, now: float) -> bool:
        if self._sealing is None:
            self._sealing = self._kek.load_or_make(self._settings.entropy)
        jwks = ring.published(now)
        text = pack(ring, self._sealing, self._settings.entropy)
        if not await self._store.swap_ring(expected, StoredRing(ring.version, text, jwks)):
            return False
        self._adopt(ring, PublishedKeys(ring.version, jwks))
        return True

    async def _reload(self) -> None:
        stored = await self._store.ring()
        if stored is None:
            if self._ring.version:
                raise StoreUnavailable("the store has lost its keyring; it is restored soon")
            return
        if stored.version < self._ring.version:
            raise StoreUnavailable(
                "the store has an older keyring than before; it is restored soon"
            )
        if self._sealing is None:
            self._sealing = self._kek.load()
        self._adopt(unpack(stored.ring, self._sealing), PublishedKeys(stored.version, stored.jwks))

    def _adopt(self, ring: Keyring, published: PublishedKeys) -> None:
        self._ring = ring
        self.published = published
        self._issuer = None

    def _with_first_keys(self, ring: Keyring, now: float) -> Keyring:
        if ring.version:
            return ring
        settings = self._settings
        key = PrivateKey.generate(settings.algorithm)
        ring = ring.add(key, now=now, publish_for=0, longest_token=settings.access_ttl)
        return self._with_secrets(ring, now)

    def _with_secrets(self, ring: Keyring, now: float) -> Keyring:
        settings = self._settings
        for purpose in (Purpose.HANDLE, Purpose.FEED):
            if not ring.has(purpose, now):
                ring = ring.add_secret(
                    purpose, now=now, needed_for=settings.session_ttl, entropy=settings.entropy
                )
        return ring
