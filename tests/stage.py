"""One store of each kind, and authorities and replicas on it, closed when the test is over."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pytest

import annul
from annul.core.encoding import b64url_decode
from annul.stores import open_store
from annul.testing import FixedClock
from tests.postgres_server import PostgresServer
from tests.servers import RedisServer
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    from annul.stores.base import Store

T = TypeVar("T")

ISSUER = "https://auth.example"
AUDIENCE = "https://api.example"
POLICY = annul.Policy(issuer=ISSUER, audience=AUDIENCE)
DELTA = 0.4
"""Δ of everything on a stage, in seconds: small, and enough for a busy machine."""

ACCEPTED = "accepted"


def outcome(verify: Callable[[str], object], token: str) -> str:
    """Return ``ACCEPTED``, or the code of the error that says why not."""
    try:
        verify(token)
    except annul.AnnulError as error:
        return error.code
    return ACCEPTED


def await_outcome(verify: Callable[[str], object], token: str, expected: str) -> None:
    """Wait until a verifier says this about a token."""
    eventually(lambda: outcome(verify, token) == expected)


def await_entry(replica: annul.Replica, seq: int | None) -> None:
    """Wait until a replica has read the log up to this entry."""
    eventually(lambda: replica.watermark is not None and replica.watermark.seq == seq)


def await_fresh(*replicas: annul.Replica) -> None:
    """Wait until replicas would answer."""
    eventually(lambda: all(replica.fresh for replica in replicas))


def signing_kid(authority: annul.Authority) -> str:
    """Return the key that an authority signs with, as its tokens name it."""
    grant = authority.login("somebody", client_id="web")
    header = json.loads(b64url_decode(grant.access_token.partition(".")[0]))
    return str(header["kid"])


def listed(authority: annul.Authority, purpose: str = "token") -> list[annul.KeyInfo]:
    """Return the keys of an authority's ring that have this purpose, oldest first."""
    ring = authority.keys()
    return [key for key in ring if key.purpose == purpose]


def states(authority: annul.Authority) -> dict[str, str]:
    """Return in which state each signing key of an authority is."""
    return {key.kid: key.state.value for key in listed(authority)}


def kids(jwks: annul.JWKS) -> set[str]:
    """Return the ids of the keys in a set."""
    return {key.kid for key in jwks}


def clock_of_now() -> FixedClock:
    """Return a clock that stands at the present, so that a server's own clock agrees with it."""
    return FixedClock(float(int(time.time())))


class Stage:
    """A store at ``url``; what is opened on it is closed with it, the newest first."""

    def __init__(self, kind: str, url: str, folder: Path) -> None:
        self.kind = kind
        self.url = url
        self.folder = folder
        self.kek_file = folder / "stage.kek"
        self._open: list[annul.Authority | annul.Replica] = []

    def authority(self, **settings: Any) -> annul.Authority:  # noqa: ANN401 - those of open
        """Open an authority; a second one is what another process would be."""
        given: dict[str, Any] = {"issuer": ISSUER, "audience": AUDIENCE, "max_staleness": DELTA}
        if "kek" not in settings:
            given["kek_file"] = self.kek_file
        authority = annul.Authority.open(self.url, **given | settings)
        self._open.append(authority)
        return authority

    def replica(
        self,
        policy: annul.Policy = POLICY,
        *,
        clock: FixedClock | None = None,
        **settings: Any,  # noqa: ANN401 - those of open
    ) -> annul.Replica:
        """Open a replica and wait until it is ready; with a clock of its own if one is given."""
        given = {"max_staleness": DELTA} | settings
        if clock is None:
            replica = annul.Replica.open(self.url, policy=policy, **given)
        else:
            replica = annul.Replica(
                lambda: open_store(self.url, issuer=ISSUER, clock=clock),
                policy=policy,
                clock=clock,
                **given,
            )
            replica.wait_ready(5.0)
        self._open.append(replica)
        return replica

    def ask(self, question: Callable[[Store], Coroutine[Any, Any, T]]) -> T:
        """Return what the store itself answers."""

        async def go() -> T:
            store = open_store(self.url, issuer=ISSUER)
            try:
                return await question(store)
            finally:
                await store.close()

        return asyncio.run(go())

    def entries(self) -> tuple[annul.Revocation, ...]:
        """Return the log."""
        return self.ask(lambda store: store.snapshot()).entries

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close everything; closing twice is harmless."""
        while self._open:
            self._open.pop().close()


def pass_time(clock: FixedClock, seconds: float, *replicas: annul.Replica) -> None:
    """Move a clock on, and wait until those replicas have proven their freshness anew."""
    clock.advance(seconds)
    await_fresh(*replicas)


def _stage(kind: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Stage]:
    if kind == "memory":
        url = f"memory://{uuid.uuid4().hex}"
    elif kind == "sqlite":
        url = f"sqlite:///{folder}/annul.db"
    elif kind == "postgres":
        database = request.getfixturevalue("postgres_server")
        assert isinstance(database, PostgresServer)
        url = database.store_url()
    else:
        server = request.getfixturevalue("redis_server")
        assert isinstance(server, RedisServer)
        url = server.url
    with Stage(kind, url, folder) as stage:
        yield stage


@pytest.fixture(params=["memory", "sqlite", "valkey"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A store of each kind."""
    yield from _stage(request.param, request, tmp_path)


@pytest.fixture
def file_stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A store in a file, for tests that do something to the file: ``folder / "annul.db"``."""
    yield from _stage("sqlite", request, tmp_path)


@pytest.fixture
def server_stage(own_redis: RedisServer, tmp_path: Path) -> Iterator[Stage]:
    """A store in a server of its own, ``own_redis``, for tests that do something to it."""
    with Stage("valkey", f"{own_redis.url}?timeout=1.0", tmp_path) as stage:
        yield stage


@pytest.fixture(params=["sqlite", "valkey", "postgres"])
def shared_stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A store of each kind that other processes can reach."""
    yield from _stage(request.param, request, tmp_path)


@pytest.fixture(params=["memory", "sqlite"])
def timed_stage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stage]:
    """A store of each kind whose time is the clock that it is given."""
    yield from _stage(request.param, request, tmp_path)
