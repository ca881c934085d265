"""A store of every kind, for browsers and thieves."""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.postgres_server import PostgresServer, postgres_server
from tests.servers import RedisServer, own_redis, redis_server, shared_redis
from tests.stage import Stage, _stage, file_stage, timed_stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = [
    "file_stage",
    "own_redis",
    "postgres_server",
    "redis_server",
    "shared_redis",
    "timed_stage",
]

_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


@pytest.fixture(params=["memory", "sqlite", "valkey", "postgres"])
def any_stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A store of every kind."""
    yield from _stage(request.param, request, tmp_path)


@pytest.fixture
def memory_stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A store that is quick, for what is not about stores."""
    yield from _stage("memory", request, tmp_path)


@pytest.fixture(params=["valkey", "postgres"])
def shaky(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Iterator[tuple[Stage, Callable[[], object]]]:
    """A store in a server, and what takes all its connections away."""
    with contextmanager(_stage)(request.param, request, tmp_path) as found:
        server = request.getfixturevalue(
            "redis_server" if request.param == "valkey" else "postgres_server"
        )
        if isinstance(server, RedisServer):
            yield found, partial(server.command, "CLIENT", "KILL", "TYPE", "normal")
        else:
            assert isinstance(server, PostgresServer)
            yield found, partial(server.run, _OTHERS)
