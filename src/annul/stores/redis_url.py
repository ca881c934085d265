"""What a Redis URL says: where the server is, and what the deployer knows about it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote, urlsplit

from annul.errors import Misconfigured

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["Address", "address_from_url"]

_TLS = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
_OPTIONS = ("appendfsync", "ca", "prefix", "timeout")
_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_FSYNC = ("always", "everysec")
_SHORTEST_TIMEOUT, _LONGEST_TIMEOUT = 0.05, 60.0
_EXAMPLE = "redis://user:password@host:6379/0?prefix=annul"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A server and the place of one store in it.

    ``timeout`` is how long an operation may take, in seconds, before it counts as unconfirmed.
    ``appendfsync`` is what the deployer accepts, or states where the server does not tell.
    """

    host: str
    port: int = 6379
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca: str | None = None
    prefix: str = "annul"
    timeout: float = 2.0
    appendfsync: str | None = None

    @property
    def place(self) -> str:
        """The server as messages name it: never with the password."""
        return f"{self.host}:{self.port}"


def address_from_url(url: str) -> Address:
    """Return what ``redis://user:password@host:6379/0?prefix=annul`` says.

    ``rediss`` and ``valkeys`` speak TLS. Options: ``prefix`` keeps several stores apart in one
    database, ``timeout`` in seconds, ``ca`` a file of trusted certificates, ``appendfsync`` what
    is accepted of the server, or stated about one that hides its configuration.

    Raises ``Misconfigured``, without repeating a URL that may hold a password.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Misconfigured(f"the port or host of the store URL cannot be; {_EXAMPLE}") from None
    if not parts.hostname or parts.fragment:
        raise Misconfigured(f"name the host of the store: {_EXAMPLE}")
    options = _options(parts)
    tls = _TLS[parts.scheme]
    ca = options.get("ca")
    if ca is not None and not tls:
        raise Misconfigured("ca is about TLS: write rediss:// or leave it out")
    if ca is not None and not Path(ca).is_file():
        raise Misconfigured(f"there is no file of certificates at {ca}")
    return Address(
        host=parts.hostname,
        port=6379 if port is None else port,
        db=_database(parts.path),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
        tls=tls,
        ca=ca,
        prefix=_prefix(options.get("prefix", "annul")),
        timeout=_timeout(options.get("timeout", "2")),
        appendfsync=_appendfsync(options.get("appendfsync")),
    )


def _options(parts: SplitResult) -> dict[str, str]:
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    for name in options:
        if name not in _OPTIONS:
            raise Misconfigured(f"{name} is not an option; a Redis URL has {', '.join(_OPTIONS)}")
    if len(options) != len(pairs):
        raise Misconfigured("an option of the store URL is given twice")
    return options


def _database(path: str) -> int:
    number = path.strip("/") or "0"
    if not (number.isascii() and number.isdigit()):
        raise Misconfigured(f"after the host comes the number of a database: {_EXAMPLE}")
    return int(number)


def _prefix(value: str) -> str:
    # Braces would end the hash tag early, and spread the keys over a cluster.
    if not _PREFIX.fullmatch(value):
        raise Misconfigured("prefix is at most 64 letters, digits and the characters _ . : -")
    return value


def _timeout(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not _SHORTEST_TIMEOUT <= seconds <= _LONGEST_TIMEOUT:
        raise Misconfigured(
            f"timeout is from {_SHORTEST_TIMEOUT:g} to {_LONGEST_TIMEOUT:g} seconds"
        )
    return seconds


def _appendfsync(value: str | None) -> str | None:
    if value is not None and value not in _FSYNC:
        raise Misconfigured(f"appendfsync is one of {', '.join(_FSYNC)}")
    return value
