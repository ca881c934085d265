"""The issuer: claims in, signed access token out (RFC 9068)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from json.encoder import encode_basestring as _quoted
from typing import TYPE_CHECKING, Any, NamedTuple

from annul.core.claims import system_clock
from annul.core.encoding import (
    EncodingError,
    b64url_encode,
    compact_json,
    json_text,
    parse_object,
)
from annul.core.jwk import PrivateKey
from annul.core.jws import sign
from annul.core.policy import Policy
from annul.core.revocation import LONGEST_ACCESS_TTL, identifier
from annul.errors import InvalidRequest, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.core.claims import Clock
    from annul.core.revocation import Position

__all__ = ["RESERVED_CLAIMS", "IssuedToken", "Issuer", "check_claims"]

RESERVED_CLAIMS = frozenset(
    [
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "client_id",
        "scope",
        "sid",
        "since",
        "as_of",
        "cnf",
        "auth_time",
    ]
)
"""Claims that annul sets itself; an application cannot pass them."""

MAX_CLAIMS_BYTES = 8_192
"""The most application claims a session may carry, as JSON; every request carries them too."""

JTI_BYTES = 16


class IssuedToken(NamedTuple):
    """A signed access token, with what one needs to know about it without reading it."""

    text: str
    jti: str
    expires_at: int

    def __repr__(self) -> str:
        # Without the token: a repr ends up in logs.
        return f"IssuedToken(jti={self.jti!r}, expires_at={self.expires_at!r})"


class Issuer:
    """Signs access tokens with one key, for one issuer and audience.

    ``ttl`` is the lifetime in whole seconds. ``clock`` returns Unix time and ``entropy`` random
    bytes. Raises ``Misconfigured`` for settings that no verifier would accept.

    Example::

        issuer = Issuer(key=PrivateKey.generate("ES256"), issuer="https://auth.example",
                        audience="https://api.example", ttl=900)
        issuer.issue(subject="alice", client_id="web", sid="…", since=Position(1, 0)).text
    """

    __slots__ = ("_clock", "_entropy", "_header", "_key", "_prefix", "_ttl")

    def __init__(
        self,
        *,
        key: PrivateKey,
        issuer: str,
        audience: str | tuple[str, ...],
        ttl: int = 900,
        clock: Clock = system_clock,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        check_ttl(ttl)
        if not isinstance(key, PrivateKey):
            raise Misconfigured("an issuer signs with a PrivateKey")
        Policy(issuer=issuer, audience=audience)  # what no verifier accepts is refused here too
        self._key = key
        named = {"iss": issuer, "aud": audience if isinstance(audience, str) else list(audience)}
        self._prefix = json_text(named)[:-1]
        self._ttl = ttl
        self._clock = clock
        self._entropy = entropy
        header = {"alg": key.alg, "typ": "at+jwt", "kid": key.kid}
        self._header = b64url_encode(compact_json(header)).encode("ascii")

    @property
    def key_id(self) -> str:
        """The ``kid`` of the key that signs."""
        return self._key.kid

    def issue(
        self,
        *,
        subject: str,
        client_id: str,
        since: Position,
        as_of: Position | None = None,
        sid: str | None = None,
        scope: str = "",
        claims: Mapping[str, Any] | None = None,
        jkt: str | None = None,
        auth_time: float | None = None,
        ttl: int | None = None,
    ) -> IssuedToken:
        """Return a signed access token.

        ``since`` is the log position at which the session began, ``as_of`` that at which its claims
        hold, if it is a later one. ``claims`` are the application's
        own, already checked by ``check_claims``. ``jkt`` binds the token to a key (RFC 9449 §6).
        ``ttl`` may make this token's lifetime shorter than the issuer's, never longer.
        Without ``sid`` the token is a client's own and ``subject`` must be the ``client_id``.

        Raises ``InvalidRequest`` for what cannot be written into a token. What can, but no verifier
        would accept (an empty id, say), is signed all the same: the caller checks its arguments.
        """
        now = int(self._clock())
        jti = self._entropy(JTI_BYTES).hex()
        expires_at = now + (self._ttl if ttl is None else min(ttl, self._ttl))
        if sid is None and subject != client_id:
            raise InvalidRequest("a token without a session speaks for the client itself")
        try:
            # Written out member by member: a general encoder takes longer than all the rest here.
            payload = (
                f'{self._prefix},"sub":{_quoted(subject)},"client_id":{_quoted(client_id)}'
                f',"exp":{expires_at},"iat":{now},"jti":"{jti}","since":[{since[0]:d},{since[1]:d}]'
            )
            if as_of is not None and as_of > since:
                payload += f',"as_of":[{as_of[0]:d},{as_of[1]:d}]'
            if sid is not None:
                payload += f',"sid":{_quoted(sid)}'
            if scope:
                payload += f',"scope":{_quoted(scope)}'
            if jkt is not None:
                payload += f',"cnf":{{"jkt":{_quoted(jkt)}}}'
            if auth_time is not None:
                payload += f',"auth_time":{int(auth_time)}'
            payload += "," + json_text(claims)[1:] if claims else "}"
            raw = payload.encode("utf-8")
        except (TypeError, ValueError, OverflowError):
            raise InvalidRequest(
                "ids are str in valid Unicode, claims plain JSON values, times finite numbers"
            ) from None
        return IssuedToken(sign(self._header, raw, self._key), jti, expires_at)


def check_ttl(ttl: object) -> int:
    """Return a token lifetime in whole seconds, or raise ``Misconfigured``."""
    if isinstance(ttl, bool) or not isinstance(ttl, int) or not 1 <= ttl <= LONGEST_ACCESS_TTL:
        raise Misconfigured(f"access_ttl must be whole seconds from 1 to {LONGEST_ACCESS_TTL}")
    return ttl


def check_claims(claims: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the application's claims as they will come out of a token again.

    Raises ``InvalidRequest`` for reserved names, for what JSON cannot carry, and for more than
    ``MAX_CLAIMS_BYTES``.
    """
    if claims is None:
        return {}
    if not isinstance(claims, Mapping):
        raise InvalidRequest("claims must be a mapping from names to plain JSON values")
    reserved = sorted(RESERVED_CLAIMS.intersection(claims))
    if reserved:
        raise InvalidRequest(f"annul sets these claims itself: {', '.join(reserved)}")
    if not all(isinstance(name, str) and name for name in claims):
        raise InvalidRequest("claim names must be non-empty strings")
    try:
        encoded = compact_json(dict(claims))
        if len(encoded) > MAX_CLAIMS_BYTES:
            raise InvalidRequest(
                f"claims take {len(encoded)} bytes as JSON, more than {MAX_CLAIMS_BYTES}: "
                "keep large data out of tokens"
            )
        # One level is used by the payload itself; parsing proves that a verifier can read it.
        return parse_object(encoded)
    except EncodingError:
        raise InvalidRequest("claims must be plain JSON values, nested at most 30 deep") from None


def check_scope(scope: object) -> str:
    """Return a space-separated scope, or raise ``InvalidRequest`` (RFC 6749 §3.3)."""
    if not isinstance(scope, str):
        raise InvalidRequest('scope must be one string, names separated by spaces: "read write"')
    for name in scope.split(" ") if scope else ():
        identifier(name, "a scope name")
        if not all("!" <= char <= "~" and char not in '"\\' for char in name):
            raise InvalidRequest("scope names are printable ASCII without quotes or backslashes")
    return scope
