"""Persistence: one protocol file, one file per backend.

``open_store`` picks the backend by the scheme of the URL and imports its driver only then.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from annul.core.claims import Clock, system_clock
from annul.errors import Misconfigured, MissingDependency

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from annul.stores.base import Store

__all__ = ["file_of", "grants_of", "open_store"]

_BACKENDS = {
    "memory": "annul.stores.memory",
    "sqlite": "annul.stores.sqlite",
    "redis": "annul.stores.redis",
    "rediss": "annul.stores.redis",
    "valkey": "annul.stores.redis",
    "valkeys": "annul.stores.redis",
    **{
        f"{server}+{via}": "annul.stores.redis"
        for server in ("redis", "rediss", "valkey", "valkeys")
        for via in ("sentinel", "cluster")
    },
    "postgresql": "annul.stores.postgres",
    "postgres": "annul.stores.postgres",
}
_GRANTS = {
    "annul.stores.redis": "annul.stores.redis_grants",
    "annul.stores.postgres": "annul.stores.postgres_grants",
}
_EXTRAS = {"redis": "redis", "psycopg": "postgres"}
_EXAMPLES = "memory://, sqlite:///annul.db, redis://localhost/0 or postgresql://localhost/annul"


def open_store(
    url: str,
    *,
    issuer: str | None,
    allow_volatile: bool = False,
    clock: Clock = system_clock,
) -> Store:
    """Return the store that ``url`` names. Nothing is connected or written yet.

    ``issuer`` is whom the store must belong to; ``None`` takes it as it was founded.
    ``allow_volatile`` accepts a set-up that can lose acknowledged revocations: tests and demos.
    ``clock`` is what a store without a server tells the time by.

    Raises ``Misconfigured`` for a URL that cannot be meant, and ``MissingDependency`` if the
    backend's driver is not installed.
    """
    make: Callable[..., Store] = _load(_backend_of(url)).from_url
    return make(url, issuer=issuer, allow_volatile=allow_volatile, clock=clock)


def _backend_of(url: str) -> str:
    if not isinstance(url, str):
        raise Misconfigured(f"a store URL is a str such as {_EXAMPLES}")
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    backend = _BACKENDS.get(scheme)
    if backend is None or "://" not in url:
        # The URL may hold a password, so only its scheme is repeated.
        raise Misconfigured(f"{scheme or 'this'} is not a store URL; use {_EXAMPLES}")
    return backend


def _load(backend: str) -> ModuleType:
    try:
        return import_module(backend)
    except ModuleNotFoundError as error:
        driver = (error.name or "").partition(".")[0]
        extra = _EXTRAS.get(driver)
        if extra is None:
            raise
    raise MissingDependency(
        f'this store needs {driver}: pip install "annul[{extra}]", or ".[{extra}]" in a checkout'
    )


def file_of(url: str) -> Path | None:
    """Return the file that holds the store at ``url``, ``None`` if it is not kept in one."""
    if not url.startswith("sqlite:"):
        return None
    path: str = import_module("annul.stores.sqlite_file").path_from_url(url)
    return Path(path)


def grants_of(url: str, user: str) -> str | None:
    """Return what ``user`` must be allowed in order to verify by the store at ``url``.

    It is in the words of its server: SQL for PostgreSQL, a line of an ACL file for Redis and
    Valkey; ``None`` for a store that has no users. Nothing is connected. ``user`` is a plain name
    and is not quoted.

    Raises what ``open_store`` does.
    """
    module = _GRANTS.get(_backend_of(url))
    if module is None:
        return None
    make: Callable[[str, str], str] = _load(module).replica_grants
    return make(url, user)
