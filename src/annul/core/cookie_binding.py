"""Tokens bound to a cookie: whoever has only the token cannot use it.

At login the authority makes a random value for a cookie that scripts cannot read. The session keeps
its SHA-256, every access token of the session carries that in ``cnf`` (RFC 7800 §3.1), and a
verifier wants the cookie along with the token. A token that leaked by itself, from a log or from
a page's storage, is then worth nothing. It is weaker than a key: the cookie travels with every
request, so whoever reads a whole request has both.

What a session is bound to stands among its claims under ``cnf``, a name that applications cannot
use, and so comes back in every token that is refreshed.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from annul.core.encoding import b64url_encode
from annul.core.handle import as_plain
from annul.core.x5t import X5T, check_thumbprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["COOKIE", "binding_of_cookie", "bound_claims", "confirmed_claims", "new_bound_cookie"]

COOKIE = "cookie#S256"
"""The member of ``cnf`` that holds the base64url of the SHA-256 of a cookie's value."""

_VALUE_BYTES = 32
_VALUE = re.compile(r"[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]")


def new_bound_cookie(entropy: Callable[[int], bytes]) -> str:
    """Return a value for the cookie: 256 bits from ``entropy``, as base64url."""
    return b64url_encode(entropy(_VALUE_BYTES))


def binding_of_cookie(value: str | None) -> dict[str, str]:
    """Return what ``verify`` takes as ``binding`` for a request with this cookie.

    It is empty without a cookie, and for a text that no authority ever made: then a bound token is
    ``NotBound``, and a token that is not bound is none the worse.
    """
    text = as_plain(value)
    if not _VALUE.fullmatch(text):
        return {}
    return {COOKIE: b64url_encode(sha256(text.encode("ascii")).digest())}


def bound_claims(claims: dict[str, Any], *, cookie: str | None, x5t: str | None) -> dict[str, Any]:
    """Return what a session keeps as its claims, bound to a cookie's value and a certificate.

    Raises ``InvalidRequest`` for an ``x5t`` that is not the thumbprint of a certificate.
    """
    confirmations = binding_of_cookie(cookie)
    if x5t is not None:
        confirmations[X5T] = check_thumbprint(x5t)
    return {**claims, "cnf": confirmations} if confirmations else claims


def confirmed_claims(
    claims: Mapping[str, Any], jkt: str | None
) -> tuple[Mapping[str, Any], str | None]:
    """Return the claims of a session, and the ``jkt`` beside them, for the issuer to write.

    A token has one ``cnf``, so a key joins what is there already.
    """
    if jkt is None or "cnf" not in claims:
        return claims, jkt
    return {**claims, "cnf": {**claims["cnf"], "jkt": jkt}}, None
