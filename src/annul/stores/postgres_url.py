"""What a PostgreSQL URL says: where the server is, and where in it the store lives."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from annul.errors import Misconfigured

__all__ = ["Address", "address_from_url"]

_OURS = ("schema", "timeout")
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
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,49}")
_PORTS = re.compile(r"[0-9,]*")
_SHORTEST_TIMEOUT, _LONGEST_TIMEOUT = 0.05, 60.0
_EXAMPLE = "postgresql://user:password@host:5432/database?schema=annul"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A server, a database and the schema of one store in it.

    ``conninfo`` is what libpq needs to connect. ``timeout`` is how long an operation may take, in
    seconds, before it counts as unconfirmed. ``place`` is how messages name it: never with the
    password.
    """

    conninfo: str = field(repr=False)
    place: str
    schema: str = "annul"
    timeout: float = 2.0


def address_from_url(url: str) -> Address:
    """Return what ``postgresql://user:password@host:5432/database?schema=annul`` says.

    Options of ours: ``schema`` keeps several stores apart in one database, ``timeout`` in seconds.
    The others are libpq's and mean what they mean there, such as ``sslmode`` and ``sslrootcert``.

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
    host = known_as.get("host", "the local socket")
    port = f":{known_as['port']}" if "port" in known_as else ""
    return Address(
        conninfo=make_conninfo("", **(_DEFAULTS | known_as)),
        place=f"{host}{port}/{known_as['dbname']}",
        schema=_schema(options.get("schema", "annul")),
        timeout=_timeout(options.get("timeout", "2")),
    )


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
