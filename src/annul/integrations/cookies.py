"""Tokens in cookies: what to set, how to take it back, and how to read it again.

A cookie is described once, by a value that cannot describe an unsafe one: always ``Secure``, always
an explicit ``SameSite``, and a name with a prefix by which browsers hold the attributes to their
word (RFC 6265bis §4.1.3). What is set, what is deleted and what is read then agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from annul.core.cookie_binding import binding_of_cookie
from annul.core.handle import as_plain
from annul.errors import InvalidRequest, Misconfigured

if TYPE_CHECKING:
    from annul.integrations.headers import Headers

__all__ = [
    "ACCESS_COOKIE",
    "BOUND_COOKIE",
    "CSRF_COOKIE",
    "Cookie",
    "binding",
    "clearing",
    "refresh_cookie",
]

MAX_COOKIE_BYTES = 4096
"""Of name and value together: browsers drop what is larger without a word (RFC 6265bis §5.6)."""

MAX_AGE = 34_560_000
"""400 days; browsers shorten what is longer (RFC 6265bis §5.5)."""

_MAX_ATTRIBUTE_BYTES = 1024
_NAME = re.compile(r"(?P<prefix>__Host-|__Http-|__Secure-)[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HTTP_ONLY = ("__http-", "__host-http-")
_VALUE = re.compile(r"[\x21\x23-\x2B\x2D-\x3A\x3C-\x5B\x5D-\x7E]+")
_PATH = re.compile(r"/[\x21-\x3A\x3C-\x7E]*")
_DOMAIN = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9-]*[a-z0-9]", re.IGNORECASE)
_SAME_SITE = ("Strict", "Lax", "None")


@dataclass(frozen=True, slots=True)
class Cookie:
    """One cookie of the application, by its name.

    The name begins with ``__Host-``, or with ``__Secure-`` for a cookie that needs a ``path`` or a
    ``domain`` of its own; ``__Host-Http-`` and ``__Http-`` are the same for browsers that also hold
    ``HttpOnly`` to its word. A cookie of one session ends with the browser; ``persistent`` ones
    are set with a lifetime. Raises ``Misconfigured`` for a cookie that browsers would not keep, or
    that would not be safe.

    Example: ``Cookie("__Host-session", same_site="Lax")``.
    """

    name: str
    path: str = "/"
    domain: str | None = None
    same_site: str = "Strict"
    http_only: bool = True
    persistent: bool = False

    def __post_init__(self) -> None:
        match = _NAME.fullmatch(self.name) if isinstance(self.name, str) else None
        if match is None or len(self.name) > _MAX_ATTRIBUTE_BYTES:
            raise Misconfigured("a cookie's name starts with __Host- or __Secure-, spelled so")
        if match["prefix"] == "__Host-" and (self.path != "/" or self.domain is not None):
            raise Misconfigured(
                "a __Host- cookie has Path=/ and no Domain; __Secure- may have both"
            )
        # Browsers compare prefixes without regard to case (RFC 6265bis).
        if self.name.lower().startswith(_HTTP_ONLY) and not self.http_only:
            raise Misconfigured("a cookie named __Http- or __Host-Http- is HttpOnly")
        if not _fits(_PATH, self.path):
            raise Misconfigured("path is the start of a URL's path, such as /auth")
        if self.domain is not None and not _fits(_DOMAIN, self.domain):
            raise Misconfigured("domain is a host name, such as example.com")
        if self.same_site not in _SAME_SITE:
            raise Misconfigured(f"same_site is one of {', '.join(_SAME_SITE)}")

    def set(self, value: str, *, max_age: int | None = None) -> str:
        """Return the ``Set-Cookie`` text that gives the cookie this value.

        ``max_age`` is how many seconds it is kept, and belongs to persistent cookies only. The
        browser may keep it longer or shorter: expiry is judged by ``verify`` and the store.

        Raises ``InvalidRequest`` for a value with characters that a cookie cannot hold, and for one
        that browsers would drop because it takes more than 4,096 bytes together with its name.
        """
        value = as_plain(value)
        if not _VALUE.fullmatch(value):
            raise InvalidRequest(
                "a cookie's value is printable ASCII without spaces or any of \",;\\"
            )
        size = len(self.name) + len(value)
        if size > MAX_COOKIE_BYTES:
            raise InvalidRequest(
                f"this cookie takes {size} bytes and browsers drop more than {MAX_COOKIE_BYTES}: "
                "keep the claims of the token few"
            )
        if self.persistent != (max_age is not None):
            raise InvalidRequest("persistent cookies are set with max_age, and only they")
        if max_age is None:
            return self._text(value)
        if isinstance(max_age, bool) or not isinstance(max_age, int) or not 1 <= max_age <= MAX_AGE:
            raise InvalidRequest(f"max_age is whole seconds from 1 to {MAX_AGE}")
        return f"{self._text(value)}; Max-Age={max_age}"

    def clear(self) -> str:
        """Return the ``Set-Cookie`` text that deletes it: the same attributes, and in the past."""
        return f"{self._text('')}; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"

    def read(self, headers: Headers) -> str | None:
        """Return the cookie's value in a request, ``None`` if the request has no such cookie.

        Raises ``InvalidRequest`` if it comes twice, or under a name that differs only in case or in
        white space: somebody on a neighbouring host may have put one beside ours. So does a value
        that we would never have set. Other cookies may look as they like.
        """
        found: list[str] = []
        ours = _folded(self.name)
        # HTTP/2 lets a browser send each cookie in a field of its own (RFC 9113 §8.2.3).
        for header in headers.all("Cookie"):
            for pair in header.split(";"):
                name, _, value = pair.strip(" \t").partition("=")
                if _folded(name) != ours:
                    continue
                if name.rstrip(" \t") != self.name:
                    raise InvalidRequest(f"a cookie pretends to be {self.name}")
                found.append(value.lstrip(" \t"))
        if not found:
            return None
        if len(found) > 1:
            raise InvalidRequest(f"the cookie {self.name} came several times")
        if not _VALUE.fullmatch(found[0]):
            raise InvalidRequest(f"the cookie {self.name} has a value that was never set")
        return found[0]

    def _text(self, value: str) -> str:
        domain = "" if self.domain is None else f"; Domain={self.domain}"
        http_only = "; HttpOnly" if self.http_only else ""
        return (
            f"{self.name}={value}; Path={self.path}{domain}; Secure{http_only}"
            f"; SameSite={self.same_site}"
        )


def _fits(pattern: re.Pattern[str], value: object) -> bool:
    if not isinstance(value, str) or len(value) > _MAX_ATTRIBUTE_BYTES:
        return False
    return pattern.fullmatch(value) is not None


def _folded(name: str) -> str:
    # What the laxest reader would make of it: any case, and any white space that Unicode knows.
    return name.strip().casefold()


ACCESS_COOKIE = Cookie("__Host-access")
"""For the access token."""

BOUND_COOKIE = Cookie("__Host-bound")
"""For the value that the access token is bound to: ``Grant.cookie``."""

CSRF_COOKIE = Cookie("__Host-csrf", http_only=False)
"""For the CSRF token, which the page's own script reads and sends back in a header."""


def refresh_cookie(path: str, *, persistent: bool = False) -> Cookie:
    """Return a cookie for the refresh token, which browsers send only below ``path``.

    Put refresh and logout there and nothing else, then no other request carries it.
    """
    return Cookie("__Secure-refresh", path=path, persistent=persistent)


def binding(headers: Headers, cookie: Cookie = BOUND_COOKIE) -> dict[str, str]:
    """Return what a request proves by its bound cookie, as ``binding`` for ``verify``.

    It is empty without the cookie, and ``verify`` then refuses a bound token as ``NotBound``.
    Raises ``InvalidRequest`` as ``Cookie.read`` does.
    """
    return binding_of_cookie(cookie.read(headers))


def clearing(*cookies: Cookie, site_data: bool = False) -> tuple[tuple[str, str], ...]:
    """Return the headers of an answer that logs a browser out.

    Each cookie is deleted and the answer is kept nowhere. ``site_data`` also asks the browser to
    forget everything else that it keeps for the site (``Clear-Site-Data``).
    """
    headers = [("Set-Cookie", cookie.clear()) for cookie in cookies]
    headers.append(("Cache-Control", "no-store"))
    if site_data:
        headers.append(("Clear-Site-Data", '"cache", "cookies", "storage"'))
    return tuple(headers)
