"""Private keys at rest: an AES-256-GCM envelope under a key-encryption key.

The additional data is ``kid ‖ purpose ‖ version``, so an envelope opens only as the key, for the
purpose and in the ring version it was sealed for: envelopes cannot be swapped or rolled back.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from annul.core.encoding import EncodingError, b64url_decode, b64url_encode
from annul.errors import InvalidKey, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KEK_BYTES", "SealingKey"]

KEK_BYTES = 32
_NONCE_BYTES = 12


class SealingKey:
    """A key-encryption key (KEK): 32 random bytes that never go into the store.

    ``id`` tells keys apart without giving anything away. Raises ``Misconfigured`` for material of
    another length.
    """

    __slots__ = ("_aead", "id")

    def __init__(self, material: bytes) -> None:
        if not isinstance(material, bytes) or len(material) != KEK_BYTES:
            raise Misconfigured(f"a key-encryption key is exactly {KEK_BYTES} random bytes")
        self._aead = AESGCM(material)
        self.id = sha256(b"annul kek id:" + material).hexdigest()[:16]

    def seal(
        self,
        plaintext: bytes,
        *,
        kid: str,
        purpose: str,
        version: int,
        entropy: Callable[[int], bytes],
    ) -> str:
        """Return ``plaintext`` sealed for one key, purpose and ring version, as base64url."""
        nonce = entropy(_NONCE_BYTES)
        return b64url_encode(
            nonce + self._aead.encrypt(nonce, plaintext, _context(kid, purpose, version))
        )

    def open(self, envelope: str, *, kid: str, purpose: str, version: int) -> bytes:
        """Return the plaintext of an envelope; ``InvalidKey`` if it is not genuine or not ours."""
        try:
            raw = b64url_decode(envelope)
            return self._aead.decrypt(
                raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _context(kid, purpose, version)
            )
        except (EncodingError, InvalidTag, ValueError):
            raise InvalidKey(
                "a sealed key does not open: give the key-encryption key it was sealed with"
            ) from None

    def __repr__(self) -> str:
        return f"SealingKey(id={self.id!r})"


def _context(kid: str, purpose: str, version: int) -> bytes:
    # Lengths are written out so that no two contexts have the same bytes.
    parts = (b"annul key v1", kid.encode(), purpose.encode(), str(version).encode())
    return b"".join(b"%d:%s" % (len(part), part) for part in parts)
