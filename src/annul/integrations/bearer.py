"""Bearer tokens: from a request to exactly one token, and from an error to the answer (RFC 6750).

::

    request                                            read                 answer
    ------------------------------------------------   ------------------   ----------------------
    no credentials, or those of another scheme         NoToken              401, no error code
    two tokens, a token in the URL, a broken header    InvalidRequest       400 invalid_request
    one token, which ``verify`` then refuses           its credentials      401 invalid_token
    one token, whose scopes do not suffice             its credentials      403 insufficient_scope
    any, while ``verify`` cannot tell                  its credentials      503, with Retry-After
    a login too many                                   none needed          429, with Retry-After

What a client is told is the same for every refused token: the code of the error is for the log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from annul.errors import (
    InsufficientScope,
    InvalidRequest,
    LoginThrottled,
    Misconfigured,
    NoToken,
    RequestRefused,
    TokenRejected,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from annul.core.claims import VerifiedToken
    from annul.errors import AnnulError
    from annul.integrations.cookies import Cookie
    from annul.integrations.headers import Headers

__all__ = ["Answer", "Credentials", "answer_to", "read", "require_scopes"]

_CREDENTIALS = re.compile(r"(?P<scheme>[!#$%&'*+.^_`|~0-9A-Za-z-]+)(?: +(?P<rest>.*))?", re.DOTALL)
_TOKEN68 = re.compile(r"[A-Za-z0-9._~+/-]+=*")
_CHALLENGES = (
    (NoToken, 401, None),
    (TokenRejected, 401, "invalid_token"),
    (InsufficientScope, 403, "insufficient_scope"),
    (RequestRefused, 400, "invalid_request"),
)
_QUOTABLE = re.compile(r"[\x20-\x21\x23-\x5B\x5D-\x7E]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The one token that a request presents, not verified yet.

    ``scheme`` is the scheme it came under as ``read`` was told it, and ``from_cookie`` is set if
    the browser added it by itself, which is when a request may be forged.
    """

    token: str = field(repr=False)
    scheme: str = "Bearer"
    from_cookie: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What to tell a client whose request is refused; ``error`` is the OAuth code, if any."""

    status: int
    error: str | None = None
    headers: tuple[tuple[str, str], ...] = ()


def read(
    headers: Headers,
    *,
    cookie: Cookie | None = None,
    query: str | bytes = "",
    schemes: Collection[str] = ("Bearer",),
) -> Credentials:
    """Return the one token of a request.

    ``cookie`` is where browsers keep theirs; without it cookies are not looked at. ``query`` is
    the query of the URL as it came, in which a token is never accepted: URLs end up in logs.
    ``schemes`` are compared without regard to case (RFC 9110 §11.1).

    Raises ``NoToken`` if there is none, and ``InvalidRequest`` for more than one, for one in the
    query, and for a header that cannot be read (RFC 6750 §2, §3.1).
    """
    _refuse_query(query)
    presented = _from_header(headers, schemes)
    value = None if cookie is None else cookie.read(headers)
    if presented is None and value is None:
        raise NoToken("the request presents no token")
    if presented is not None and value is not None:
        raise InvalidRequest("the request presents a token in a header and one in a cookie")
    return presented or Credentials(token=str(value), from_cookie=True)


def require_scopes(token: VerifiedToken, *scopes: str) -> None:
    """Raise ``InsufficientScope``, naming ``scopes``, unless the token has all of them."""
    if not token.scopes.issuperset(scopes):
        raise InsufficientScope("the token's scope does not suffice", scope=" ".join(scopes))


def answer_to(error: AnnulError, *, realm: str | None = None, retry_after: int = 1) -> Answer:
    """Return the answer that ``error`` deserves at a resource server (RFC 6750 §3).

    ``realm`` goes into every challenge; ``Misconfigured`` if it does not fit between quotes.
    ``retry_after`` is in seconds. An error that is nobody's but ours is a 500 that says nothing.
    """
    if isinstance(error, Unavailable):
        return Answer(status=503, headers=_retry(retry_after))
    if isinstance(error, LoginThrottled):
        seconds = retry_after if error.retry_after is None else error.retry_after
        return Answer(status=429, headers=_retry(seconds))
    scope = error.scope if isinstance(error, InsufficientScope) else None
    for kind, status, code in _CHALLENGES:
        if isinstance(error, kind):
            return Answer(status=status, error=code, headers=_challenge(realm, code, scope))
    return Answer(status=500)


def _from_header(headers: Headers, schemes: Collection[str]) -> Credentials | None:
    value = headers.one("Authorization")
    if value is None:
        return None
    match = _CREDENTIALS.fullmatch(value)
    if match is None:
        raise InvalidRequest("the Authorization header cannot be read")
    named = match["scheme"].lower()
    scheme = next((each for each in schemes if each.lower() == named), None)
    if scheme is None:
        return None
    if not _TOKEN68.fullmatch(match["rest"] or ""):
        raise InvalidRequest("the Authorization header does not hold one token")
    return Credentials(token=match["rest"], scheme=scheme)


def _refuse_query(query: str | bytes) -> None:
    text = query.decode("latin-1") if isinstance(query, bytes) else query
    for pair in text.removeprefix("?").split("&"):
        if unquote_plus(pair.partition("=")[0]) == "access_token":
            raise InvalidRequest("a token in a URL ends up in logs; send it in a header")


def _retry(seconds: float) -> tuple[tuple[str, str]]:
    # RFC 9110 §10.2.3: whole seconds, and not earlier than was said.
    return (("Retry-After", f"{ceil(seconds):d}"),)


def _challenge(
    realm: str | None, error: str | None = None, scope: str | None = None
) -> tuple[tuple[str, str]]:
    given = {"realm": realm, "error": error, "scope": scope}
    parameters = {name: value for name, value in given.items() if value is not None}
    for name, value in parameters.items():
        if not _QUOTABLE.fullmatch(value):
            raise Misconfigured(f"{name} has a character that a challenge cannot hold")
    listed = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
    return (("WWW-Authenticate", f"Bearer {listed}".rstrip()),)
