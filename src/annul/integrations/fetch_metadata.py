"""Where a browser's request comes from: Fetch Metadata, and ``Origin`` where that is absent.

::

    Sec-Fetch-Site         GET, HEAD, OPTIONS                   any other method
    ---------------------  -----------------------------------  ----------------------------------
    same-origin, none      allowed                              allowed
    same-site, cross-site  allowed for an origin of ours, and   allowed for an origin of ours
                           for following a link to a page
    absent                 allowed                              allowed if Origin, or without one
                                                                Referer, is an origin of ours
    anything else          refused                              refused

Browsers set these headers and scripts cannot, so a page cannot lie about itself. Other programs
can, but they have no cookies of somebody else to add.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from annul.errors import InvalidRequest, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterable

    from annul.integrations.headers import Headers

__all__ = ["ALLOWED", "SAFE_METHODS", "VARY", "FetchMetadata", "Verdict"]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that must not change anything (RFC 9110 §9.2.1); they are spelled in capitals."""

VARY = ("Vary", "Sec-Fetch-Site, Origin")
"""The header for answers that depended on the judgement, so that no cache mixes them up."""

_ORIGIN = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9_.-]+|\[[0-9a-f:.]+\])(?P<port>:[1-9][0-9]{0,4})?",
    re.IGNORECASE,
)
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}
_SITES = frozenset({"same-origin", "same-site", "cross-site", "none"})
_EMBEDDED = frozenset({"object", "embed", "fencedframe", "iframe", "frame"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """Allowed if ``code`` is ``None``; otherwise ``code`` says why not, and the answer is a 403.

    The codes are stable: ``cross_site`` and ``foreign_origin`` (another page's request),
    ``no_origin`` (the request does not say), ``ambiguous_origin`` (it says what cannot be),
    ``csrf_missing`` and ``csrf_mismatch``.
    """

    code: str | None = None

    @property
    def allowed(self) -> bool:
        """Whether the request may be answered."""
        return self.code is None

    def __bool__(self) -> bool:
        return self.code is None


ALLOWED = Verdict()

_CROSS_SITE = Verdict("cross_site")
_FOREIGN = Verdict("foreign_origin")
_UNSTATED = Verdict("no_origin")
_AMBIGUOUS = Verdict("ambiguous_origin")


@dataclass(frozen=True, slots=True)
class FetchMetadata:
    """Judges where requests come from. ``origins`` are ours, and those that we trust as ours.

    An origin is a scheme, a host and, unless it is the default, a port: ``https://app.example``.
    They are compared whole: no subdomains, no patterns. A sibling on the same site is not trusted
    unless it is named. Raises ``Misconfigured`` for anything that is not an origin, and for none.
    """

    origins: Iterable[str]
    _trusted: frozenset[str | None] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        named = () if isinstance(self.origins, str) else tuple(self.origins)
        trusted = frozenset(map(_normal, named))
        if not named or None in trusted:
            raise Misconfigured('origins are exact, such as ("https://app.example",)')
        object.__setattr__(self, "origins", named)
        object.__setattr__(self, "_trusted", trusted)

    def judge(self, method: str, headers: Headers) -> Verdict:
        """Say whether the request comes from where it may; never an exception."""
        try:
            site = headers.one("Sec-Fetch-Site")
            stated = headers.one("Origin")
            if site is not None:
                return self._by_site(site, stated, method, headers)
            if method in SAFE_METHODS:
                return ALLOWED
            return self._by_origin(stated, headers.one("Referer"))
        except InvalidRequest:
            return _AMBIGUOUS

    def _by_site(self, site: str, stated: str | None, method: str, headers: Headers) -> Verdict:
        if site not in _SITES:
            return _AMBIGUOUS
        # Before Origin: a page with a strict referrer policy posts to itself with Origin: null.
        if site in {"same-origin", "none"} or _normal(stated) in self._trusted:
            return ALLOWED
        if method == "GET" and _follows_a_link(headers):
            return ALLOWED
        return _CROSS_SITE

    def _by_origin(self, stated: str | None, referer: str | None) -> Verdict:
        if stated is None and referer is None:
            return _UNSTATED
        if stated is None:
            # The origin ends where the path begins; userinfo does not match and is refused.
            match = _ORIGIN.match(referer or "")
            rest = "" if match is None else (referer or "")[match.end() :]
            stated = match[0] if match is not None and rest[:1] in {"", "/", "?", "#"} else ""
        return ALLOWED if _normal(stated) in self._trusted else _FOREIGN


def _follows_a_link(headers: Headers) -> bool:
    mode, dest = headers.one("Sec-Fetch-Mode"), headers.one("Sec-Fetch-Dest")
    return mode == "navigate" and dest is not None and dest not in _EMBEDDED


def _normal(origin: object) -> str | None:
    """Return an origin in the spelling that browsers use, ``None`` if it is not one."""
    match = _ORIGIN.fullmatch(origin) if isinstance(origin, str) else None
    if match is None:
        return None
    scheme, host, port = match["scheme"].lower(), match["host"].lower(), match["port"] or ""
    return f"{scheme}://{host}{'' if port == _DEFAULT_PORTS[scheme] else port}"
