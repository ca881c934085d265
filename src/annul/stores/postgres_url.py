"""What a PostgreSQL URL says: where the server is, and where in it the store lives."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from annul.errors import Misconfigured

__all__ = ["Address", "address_from_url"]

_OURS = ("promotion", "schema", "timeout")
_LIBPQS = (
    "channel_binding",
    "gssencmode",
    "host",
    "passfile",
    "port",
    "require_auth",
    "ssl_min_protocol_version",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "target_session_attrs",
)
_DEFAULTS = {"gssencmode": "disable", "application_name": "annul", "client_encoding": "UTF8"}
# Whoever reads a standby may miss what was acknowledged, so a session that takes no writes is
# never used. That is asked in the session: what libpq says when it asks itself is only text.
_WRITABLE = ("read-write", "primary")
_PROMOTIONS = ("any", "confirmed")
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,49}")
_PORTS = re.compile(r"[0-9,]*")
_SHORTEST_TIMEOUT, _LONGEST_TIMEOUT = 0.05, 60.0
_EXAMPLE = "postgresql://user:password@host:5432/database?schema=annul"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A server, a database and the schema of one store in it.

    ``hosts`` are what libpq needs to connect to each host that is named, in order. ``timeout`` is
    how long an operation may take, in seconds, before it counts as unconfirmed. ``place`` is how
    messages name it: never with the password. ``promotion`` is which standbys may take over:
    ``any`` of them, or only one that has ``confirmed`` all that was acknowledged.
    """

    hosts: tuple[str, ...] = field(repr=False)
    place: str
    promotion: str = "any"
    schema: str = "annul"
    timeout: float = 2.0


def address_from_url(url: str) -> Address:
    """Return what ``postgresql://user:password@host:5432/database?schema=annul`` says.

    Options of ours: ``schema`` keeps several stores apart in one database, ``timeout`` in seconds,
    ``promotion`` as in ``Address``. The others are libpq's and mean what they mean there, such as
    ``sslmode`` and ``sslrootcert``. Several hosts, ``host1:5432,host2:5432``, are a primary and its
    standbys; the one that takes writes is used.

    Raises ``Misconfigured``, without repeating a URL that may hold a password.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Misconfigured(f"the host of the store URL cannot be; {_EXAMPLE}") from None
    pairs = parse_qsl(parts.query, keep_blank_values=True)
    options = dict(pairs)
    for name in options:
        if name not in _OURS + _LIBPQS:
            known = ", ".join((*_OURS, *_LIBPQS))
            raise Misconfigured(f"{name} is not an option; a PostgreSQL URL has {known}")
    if len(options) != len(pairs):
        raise Misconfigured("an option of the store URL is given twice")
    query = urlencode({name: options[name] for name in options if name in _LIBPQS})
    try:
        asked = conninfo_to_dict(f"postgresql://{parts.netloc}{parts.path}?{query}")
    except psycopg.Error:
        # Its message repeats parts of the URL.
        raise Misconfigured(f"this PostgreSQL URL cannot be read; {_EXAMPLE}") from None
    known_as = {name: str(value) for name, value in asked.items() if value is not None}
    if not known_as.get("dbname") or parts.fragment:
        raise Misconfigured(f"name the database of the store: {_EXAMPLE}")
    if not _PORTS.fullmatch(known_as.get("port", "")):
        raise Misconfigured(f"the port of the store URL is a number: {_EXAMPLE}")
    _one_of(_WRITABLE, "target_session_attrs", known_as.get("target_session_attrs", "read-write"))
    host = known_as.get("host", "the local socket")
    port = f":{known_as['port']}" if "port" in known_as else ""
    return Address(
        hosts=_each(_DEFAULTS | known_as | {"target_session_attrs": "any"}),
        place=f"{host}{port}/{known_as['dbname']}",
        promotion=_one_of(_PROMOTIONS, "promotion", options.get("promotion", "any")),
        schema=_schema(options.get("schema", "annul")),
        timeout=_timeout(options.get("timeout", "2")),
    )


def _each(known_as: dict[str, str]) -> tuple[str, ...]:
    """Return what libpq needs for each of the hosts."""
    hosts = known_as.get("host", "").split(",")
    ports = known_as.get("port", "").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    if len(ports) != len(hosts) or (len(hosts) > 1 and "" in hosts):
        raise Misconfigured("name each host of the store URL, with a port for each or one for all")
    rest = {name: value for name, value in known_as.items() if name not in ("host", "port")}
    # What is not named is left to libpq, which may know it from the environment.
    places = [
        {name: value for name, value in (("host", host), ("port", port)) if value}
        for host, port in zip(hosts, ports, strict=True)
    ]
    return tuple(make_conninfo("", **(rest | place)) for place in places)


def _one_of(choices: tuple[str, ...], name: str, value: str) -> str:
    if value not in choices:
        raise Misconfigured(f"{name} is {' or '.join(choices)}")
    return value


def _schema(value: str) -> str:
    if not _SCHEMA.fullmatch(value) or value.startswith("pg_"):
        raise Misconfigured("schema is at most 50 small letters, digits and underscores")
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
