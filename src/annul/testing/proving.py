"""DPoP proofs for tests of a server that asks for them: good ones, and changed ones."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from annul.core.claims import system_clock
from annul.core.dpop_proof import access_token_hash
from annul.core.encoding import b64url_bytes, compact_json
from annul.core.jwk import PrivateKey
from annul.core.jws import sign
from annul.testing.forging import OMIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from annul.core.claims import Clock

__all__ = ["ProofForge"]


class ProofForge:
    """Plays a client with a key of its own, and makes the proofs that it sends (RFC 9449 §4.2).

    ``key`` is a new one for ES256, unless it is given; ``jkt`` is its thumbprint, which a token or
    a session is bound to. ``clock`` is asked for ``iat``.

    Example::

        client = ProofForge()
        raw = TokenForge().token({"cnf": {"jkt": client.jkt}})
        client.proof("GET", "https://api.example/orders", access_token=raw)
    """

    def __init__(self, *, key: PrivateKey | None = None, clock: Clock = system_clock) -> None:
        self.key = PrivateKey.generate("ES256") if key is None else key
        self.jkt = self.key.public.thumbprint
        self._clock = clock

    def proof(
        self,
        method: str,
        url: str,
        *,
        access_token: str | None = None,
        nonce: str | None = None,
        claims: Mapping[str, object] | None = None,
        header: Mapping[str, object] | None = None,
        key: PrivateKey | None = None,
    ) -> str:
        """Return a good proof for this request, or what ``claims`` and ``header`` make of it.

        They replace members and add to them; ``OMIT`` as a value leaves one out. ``key`` signs in
        place of the client's own, and changes nothing else.
        """
        jwk = self.key.public.to_jwk()
        names = ("kty", "crv", "x", "y", "n", "e", "alg", "pub")
        public = {name: jwk[name] for name in names if name in jwk}
        good: dict[str, Any] = {
            "jti": os.urandom(16).hex(),
            "htm": method,
            "htu": url,
            "iat": int(self._clock()),
            "ath": OMIT if access_token is None else access_token_hash(access_token),
            "nonce": OMIT if nonce is None else nonce,
        }
        head = {"typ": "dpop+jwt", "alg": self.key.alg, "jwk": public}
        return sign(b64url_bytes(_json(head, header)), _json(good, claims), key or self.key)

    def __repr__(self) -> str:
        return f"ProofForge(jkt={self.jkt!r})"


def _json(members: Mapping[str, object], changes: Mapping[str, object] | None) -> bytes:
    changed = {**members, **(changes or {})}
    return compact_json({name: value for name, value in changed.items() if value is not OMIT})
