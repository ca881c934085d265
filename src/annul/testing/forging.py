"""Tokens for tests of a program that checks them: good ones, and one for each way to be bad."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from annul.core.claims import system_clock
from annul.core.denylist import Denylist
from annul.core.encoding import b64url_bytes
from annul.core.jwk import PrivateKey
from annul.core.jwks import JWKS
from annul.core.jws import sign
from annul.core.policy import Policy
from annul.core.verifier import Verifier
from annul.errors import (
    AlgorithmNotAllowed,
    BadSignature,
    ClaimMismatch,
    Expired,
    InvalidRequest,
    Malformed,
    NotBound,
    NotYetValid,
    TokenRejected,
    UnknownKey,
    WrongType,
)
from annul.testing.samples import ISSUER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from annul.core.claims import Clock

__all__ = ["AUDIENCE", "OMIT", "REFUSALS", "TokenForge"]

AUDIENCE = "https://api.example"


class _Omitted:
    def __repr__(self) -> str:
        return "OMIT"


OMIT: object = _Omitted()
"""The value of a claim or a header member that is to be left out."""

_HOUR = 3600


class TokenForge:
    """Signs any token whatever, under a key, a key set and a policy of its own.

    The issuer is ``annul.testing.ISSUER`` and the key a new one for ES256, unless they are given.
    To forge tokens of an authority, give the key that it exports. ``clock`` is asked for the times
    in tokens and by ``verifier``.

    Example::

        forge = TokenForge()
        forge.verifier().verify(forge.token({"scope": "read"}))
    """

    def __init__(
        self,
        *,
        issuer: str = ISSUER,
        audience: str = AUDIENCE,
        key: PrivateKey | None = None,
        clock: Clock = system_clock,
    ) -> None:
        self.key = PrivateKey.generate("ES256") if key is None else key
        self.jwks = JWKS([self.key.public])
        self.policy = Policy(issuer=issuer, audience=audience)
        self._audience = audience
        self._clock = clock

    @property
    def now(self) -> int:
        """The Unix time of the forge's clock, in whole seconds as tokens have it."""
        return int(self._clock())

    def verifier(self) -> Verifier:
        """Return a verifier of these tokens, which knows of no revocation."""
        return Verifier(jwks=self.jwks, policy=self.policy, denylist=Denylist(), clock=self._clock)

    def token(
        self,
        claims: Mapping[str, object] | None = None,
        *,
        header: Mapping[str, object] | None = None,
        key: PrivateKey | None = None,
    ) -> str:
        """Return a good token of alice for the client web, or what ``claims`` make of it.

        ``claims`` and ``header`` replace members and add to them; ``OMIT`` as a value leaves one
        out. ``key`` signs in place of the forge's own, and changes nothing else.
        """
        now = self.now
        good: dict[str, Any] = {
            "iss": self.policy.issuer,
            "aud": self._audience,
            "sub": "alice",
            "client_id": "web",
            "exp": now + _HOUR,
            "iat": now,
            "jti": os.urandom(16).hex(),
            "since": [1, 0],
            "sid": os.urandom(16).hex(),
        }
        names = {"alg": self.key.alg, "typ": self.policy.typ, "kid": self.key.kid}
        return sign(b64url_bytes(_json(names, header)), _json(good, claims), key or self.key)

    def refused(self, error: type[TokenRejected]) -> str:
        """Return a token that a verifier refuses with ``error``, one of ``REFUSALS``.

        Raises ``InvalidRequest`` for any other. That includes ``Revoked``: no token says that of
        itself, so revoke one in a store in memory.
        """
        make = _MAKERS.get(error)
        if make is None:
            names = ", ".join(each.__name__ for each in REFUSALS)
            raise InvalidRequest(f"no token is refused with {error.__name__}; there are {names}")
        return make(self)

    def __repr__(self) -> str:
        return f"TokenForge(issuer={self.policy.issuer!r}, kid={self.key.kid!r})"


def _json(members: Mapping[str, object], changes: Mapping[str, object] | None) -> bytes:
    changed = {**members, **(changes or {})}
    return json.dumps(
        {name: value for name, value in changed.items() if value is not OMIT}
    ).encode()


# --- one for each way to be bad ---------------------------------------------------------------


def _malformed(forge: TokenForge) -> str:
    return forge.token().rpartition(".")[0]


def _unsigned(forge: TokenForge) -> str:
    signed = forge.token(header={"alg": "none", "kid": OMIT})
    return signed[: signed.rindex(".") + 1]


def _wrong_type(forge: TokenForge) -> str:
    return forge.token(header={"typ": "id+jwt"})


def _unknown_key(forge: TokenForge) -> str:
    other = PrivateKey.generate(forge.key.alg)
    return forge.token(key=other, header={"kid": other.kid})


def _bad_signature(forge: TokenForge) -> str:
    """Return the token of alice with another subject, under the signature that it had."""
    header, _payload, signature = forge.token().split(".")
    other = forge.token({"sub": "mallory"}).split(".")[1]
    return f"{header}.{other}.{signature}"


def _for_others(forge: TokenForge) -> str:
    return forge.token({"aud": "https://other.example"})


def _expired(forge: TokenForge) -> str:
    return forge.token({"iat": forge.now - 2 * _HOUR, "exp": forge.now - _HOUR})


def _not_yet_valid(forge: TokenForge) -> str:
    return forge.token({"nbf": forge.now + _HOUR, "exp": forge.now + 2 * _HOUR})


def _bound(forge: TokenForge) -> str:
    return forge.token({"cnf": {"jkt": PrivateKey.generate("ES256").kid}})


_MAKERS: dict[type[TokenRejected], Callable[[TokenForge], str]] = {
    Malformed: _malformed,
    AlgorithmNotAllowed: _unsigned,
    WrongType: _wrong_type,
    UnknownKey: _unknown_key,
    BadSignature: _bad_signature,
    ClaimMismatch: _for_others,
    Expired: _expired,
    NotYetValid: _not_yet_valid,
    NotBound: _bound,
}

REFUSALS: tuple[type[TokenRejected], ...] = tuple(_MAKERS)
"""Every refusal that a token can bring upon itself, in the order in which a verifier judges."""
