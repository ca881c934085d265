"""What a Redis URL says: where the servers are, and what the deployer knows about them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from annul.errors import Misconfigured

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["Address", "Host", "address_from_url"]

_TLS = {"redis": False, "valkey": False, "rediss": True, "valkeys": True}
_OPTIONS = ("appendfsync", "ca", "failover", "nodes", "prefix", "timeout")
_SENTINEL_OPTIONS = ("sentinel_password", "sentinel_username")
_PREFIX = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_SERVICE = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_FSYNC = ("always", "everysec")
_SHORTEST_TIMEOUT, _LONGEST_TIMEOUT = 0.05, 60.0
_FEWEST_NODES, _MOST_NODES = 2, 9
_EXAMPLES = {
    "": "redis://user:password@host:6379/0?prefix=annul",
    "sentinel": "redis+sentinel://user:password@s1:26379,s2:26379,s3:26379/service/0?nodes=3",
    "cluster": "redis+cluster://user:password@n1:6379,n2:6379,n3:6379?nodes=2",
}
_PORTS = {"": 6379, "sentinel": 26379, "cluster": 6379}


class Host(NamedTuple):
    """Where a server listens."""

    name: str
    port: int

    def __str__(self) -> str:
        return f"[{self.name}]:{self.port}" if ":" in self.name else f"{self.name}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Servers and the place of one store in them.

    ``hosts`` are the server itself, or whom to ask where it is: with ``via`` "sentinel" for a
    ``service``, with "cluster" for the slot of the ``prefix``. ``nodes`` is how many servers keep
    the store then, the primary included; ``None`` if the URL does not say.

    ``timeout`` is how long an operation may take, in seconds, before it counts as unconfirmed.
    ``appendfsync`` is what the deployer accepts, or states where the server does not tell.
    ``may_fail_over`` says whether a replica may be promoted behind the back of this URL.
    """

    hosts: tuple[Host, ...]
    via: str = ""
    service: str = ""
    nodes: int | None = None
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    sentinel_username: str | None = None
    sentinel_password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca: str | None = None
    prefix: str = "annul"
    timeout: float = 2.0
    appendfsync: str | None = None
    may_fail_over: bool = True

    @property
    def place(self) -> str:
        """The servers as messages name them: never with the password."""
        hosts = ",".join(map(str, self.hosts))
        return f"{self.service} at {hosts}" if self.service else hosts


def address_from_url(url: str) -> Address:
    """Return what ``redis://user:password@host:6379/0?prefix=annul`` says.

    ``rediss`` and ``valkeys`` speak TLS. ``redis+sentinel://s1:26379,s2:26379/service/0?nodes=3``
    and ``redis+cluster://n1:6379,n2:6379?nodes=2`` name whom to ask where the server is.

    Options: ``prefix`` keeps several stores apart in one database, ``timeout`` in seconds, ``ca``
    a file of trusted certificates, ``appendfsync`` what is accepted of the server, or stated
    about one that hides its configuration; ``nodes`` how many servers keep the store;
    ``failover=never`` that no replica of a single server is ever promoted.

    Raises ``Misconfigured``, without repeating a URL that may hold a password.
    """
    parts = urlsplit(url)
    scheme, _, via = parts.scheme.partition("+")
    example = _EXAMPLES[via]
    if parts.fragment:
        raise Misconfigured(f"a store URL has no fragment: {example}")
    user, _, hosts = parts.netloc.rpartition("@")
    username, _, password = user.partition(":")
    options = _options(parts, via)
    service, database = _path(parts.path, via)
    tls = _TLS[scheme]
    ca = options.get("ca")
    if ca is not None and not tls:
        raise Misconfigured("ca is about TLS: write rediss:// or leave it out")
    if ca is not None and not Path(ca).is_file():
        raise Misconfigured(f"there is no file of certificates at {ca}")
    return Address(
        hosts=_hosts(hosts, via),
        via=via,
        service=service,
        nodes=_nodes(options.get("nodes"), via),
        db=_database(database, via),
        username=unquote(username) if username else None,
        password=unquote(password) if password else None,
        sentinel_username=options.get("sentinel_username"),
        sentinel_password=options.get("sentinel_password"),
        tls=tls,
        ca=ca,
        prefix=_prefix(options.get("prefix", "annul")),
        timeout=_timeout(options.get("timeout", "2")),
        appendfsync=_appendfsync(options.get("appendfsync")),
        may_fail_over=_may_fail_over(options.get("failover"), via),
    )


def _hosts(text: str, via: str) -> tuple[Host, ...]:
    hosts = []
    for one in text.split(","):
        try:
            parts = urlsplit(f"//{one}")
            name, port = parts.hostname, parts.port
        except ValueError:
            raise Misconfigured(
                f"the port or host of the store URL cannot be; {_EXAMPLES[via]}"
            ) from None
        if not name:
            raise Misconfigured(f"name the host of the store: {_EXAMPLES[via]}")
        hosts.append(Host(name, _PORTS[via] if port is None else port))
    if len(hosts) > 1 and not via:
        raise Misconfigured("several hosts are redis+sentinel:// or redis+cluster://")
    if len(set(hosts)) < len(hosts):
        raise Misconfigured("a host of the store URL is named twice")
    return tuple(hosts)


def _options(parts: SplitResult, via: str) -> dict[str, str]:
    known = (*_OPTIONS, *_SENTINEL_OPTIONS) if via == "sentinel" else _OPTIONS
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    for name in options:
        if name not in known:
            raise Misconfigured(f"{name} is not an option; a Redis URL has {', '.join(known)}")
    if len(options) != len(pairs):
        raise Misconfigured("an option of the store URL is given twice")
    return options


def _path(path: str, via: str) -> tuple[str, str]:
    """Return the name of the service and the number of the database."""
    if via != "sentinel":
        return "", path.strip("/")
    service, _, database = path.strip("/").partition("/")
    if not _SERVICE.fullmatch(service):
        raise Misconfigured(f"after the Sentinels comes their service: {_EXAMPLES[via]}")
    return service, database


def _database(text: str, via: str) -> int:
    number = text or "0"
    if not (number.isascii() and number.isdigit()):
        raise Misconfigured(f"after the host comes the number of a database: {_EXAMPLES[via]}")
    if via == "cluster" and int(number):
        raise Misconfigured("a cluster has only database 0; keep stores apart by ?prefix=name")
    return int(number)


def _nodes(value: str | None, via: str) -> int | None:
    if value is None:
        return None
    if not via:
        raise Misconfigured("nodes is for redis+sentinel:// and redis+cluster://")
    number = int(value) if value.isascii() and value.isdigit() and len(value) == 1 else 0
    if not _FEWEST_NODES <= number <= _MOST_NODES:
        raise Misconfigured(
            f"nodes is how many servers keep the store, the primary included:"
            f" {_FEWEST_NODES} to {_MOST_NODES}"
        )
    return number


def _may_fail_over(value: str | None, via: str) -> bool:
    if value is not None and (value != "never" or via):
        raise Misconfigured("failover=never is all that it may say, and only of a single server")
    return value is None


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
