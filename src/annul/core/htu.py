"""The URL of a request as a DPoP proof names it: one spelling for all that mean the same.

RFC 9449 §4.3 compares ``htu`` without query and fragment, after the normalisation of RFC 3986
§6.2.2 (case, percent-encoding, dot segments) and §6.2.3 (default port, empty path).
"""

from __future__ import annotations

import re

__all__ = ["UnusableURL", "normalize"]

_DEFAULT_PORTS = {"http": 80, "https": 443}
_LAST_PORT = 65_535

# Only what a server can be reached by. Userinfo is not part of a request, and another alphabet in
# a host has several spellings, so both are refused rather than interpreted.
_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{0,5}))?"
    r"(?P<path>/[^?#]*)?(?:[?#].*)?",
    re.IGNORECASE | re.ASCII | re.DOTALL,
)
_ESCAPE = re.compile(
    r"%(?P<hex>[0-9A-Fa-f]{2})|(?P<broken>%)|(?P<other>[^A-Za-z0-9._~!$&'()*+,;=:@/-])"
)
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class UnusableURL(ValueError):
    """What is wrong with a URL, in words that quote none of it."""


def normalize(url: str) -> str:
    """Return an absolute ``http`` or ``https`` URL in its normal form, without query and fragment.

    Characters that a URL cannot hold are percent-encoded as UTF-8, because some servers hand out
    paths that way (RFC 3987 §3.1). Raises ``UnusableURL`` for anything that is not such a URL.
    """
    found = _URL.fullmatch(url)
    if found is None:
        raise UnusableURL("an absolute http or https URL without userinfo is needed")
    scheme, port = found["scheme"].lower(), found["port"]
    authority = found["host"].lower()
    if port and int(port) != _DEFAULT_PORTS[scheme]:
        if int(port) > _LAST_PORT:
            raise UnusableURL("there is no such port")
        authority += f":{int(port)}"
    # Dots are decoded before they are removed: %2E is a dot (RFC 3986 §6.2.2.2, §6.2.2.3).
    path = _ESCAPE.sub(_escape, found["path"] or "/")
    return f"{scheme}://{authority}{_without_dots(path)}"


def _escape(found: re.Match[str]) -> str:
    if found["hex"]:
        char = chr(int(found["hex"], 16))
        return char if char in _UNRESERVED else found[0].upper()
    other = found["other"]
    if other is None or other < " " or other == "\x7f":
        raise UnusableURL("the path has a control character or a percent sign without digits")
    try:
        return "".join(f"%{byte:02X}" for byte in other.encode("utf-8"))
    except UnicodeEncodeError:
        raise UnusableURL("the path is not valid Unicode") from None


def _without_dots(path: str) -> str:
    """RFC 3986 §5.2.4, for a path that begins with a slash."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)
