"""The authority's verbs for keys: rotate, import, export, list, publish."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from annul.core.events import KeyExported, KeyRotated
from annul.core.jwk import PrivateKey

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.authority.rotation import KeyInfo, Rotation
    from annul.authority.settings import Settings
    from annul.authority.witness import Witness
    from annul.core.jwks import JWKS
    from annul.replica import Replica

__all__ = ["KeyVerbs"]


class KeyVerbs:
    """The part of ``AsyncAuthority`` that is about signing keys."""

    _settings: Settings
    _rotation: Rotation
    _replica: Replica
    _witness: Witness
    _look_after_store: Callable[[], None]

    async def rotate_keys(self, *, algorithm: str | None = None) -> str:
        """Make a new signing key and return its ``kid``.

        It is published at once and signs after ``publish_for`` seconds; the present key stays
        trusted until the longest token that it signed has expired.
        """
        key = await asyncio.to_thread(PrivateKey.generate, algorithm or self._settings.algorithm)
        return await self._add_key(key, imported=False)

    async def import_key(
        self, pem: bytes | str, *, password: bytes | None = None, alg: str | None = None
    ) -> str:
        """Add a private key from PEM, as ``openssl genpkey`` writes it; return its ``kid``.

        It takes over like a rotated key. ``alg`` chooses among the algorithms an RSA key can
        have; by default ``RS256``. Raises ``InvalidKey`` for a file that cannot be read, a wrong
        passphrase, a weak key, and a key that was ever revoked.
        """
        key = PrivateKey.from_pem(pem, password=password, alg=alg)
        return await self._add_key(key, imported=True)

    async def export_key(self, kid: str, *, password: bytes | None = None) -> bytes:
        """Return a private key as PKCS#8 PEM, encrypted if ``password`` is given."""
        await self._witness.ready()
        await self._catch_up()
        pem = self._rotation.export(kid, password)
        encrypted = password is not None
        await self._witness.record(
            KeyExported(at=self._settings.clock(), kid=kid, encrypted=encrypted)
        )
        return pem

    async def keys(self) -> tuple[KeyInfo, ...]:
        """Return the keys of the ring with their states, oldest first, without private parts."""
        await self._catch_up()
        return self._rotation.list()

    async def jwks(self) -> JWKS:
        """Return the public keys to publish: ``(await authority.jwks()).to_json()``."""
        await self._catch_up()
        return self._rotation.jwks()

    async def _add_key(self, key: PrivateKey, *, imported: bool) -> str:
        await self._witness.ready()
        await self._catch_up()
        kid = await self._rotation.add(key)
        self._replica.observe_keys(self._rotation.published)
        await self._witness.record(
            KeyRotated(at=self._settings.clock(), kid=kid, alg=key.alg, imported=imported)
        )
        return kid

    async def _catch_up(self) -> None:
        # Another authority may have rotated; the replica's renewals bring the version along. In a
        # forked child it has to be started for that.
        self._look_after_store()
        if self._replica.resume():
            await asyncio.to_thread(self._replica.wait_ready)
        await self._rotation.catch_up(self._replica.keys_version)
