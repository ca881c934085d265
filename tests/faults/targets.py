"""The stores that a scene can be played on, each with the ways in which it can be hurt."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from tests.losing import put_back
from tests.postgres_server import _children
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.disks import SmallDisk
    from tests.postgres_server import PostgresServer
    from tests.servers import RedisServer


class Target(Protocol):
    """**Protocol:** a running store and what can happen to it.

    After ``kill`` and ``freeze`` nothing is confirmed any more, from the moment they return. After
    ``start`` and ``thaw`` everything can be asked again; they lose nothing. ``empty`` makes it
    lose everything while it runs, ``wipe`` while it is down; afterwards it runs.
    """

    @property
    def name(self) -> str: ...
    @property
    def url(self) -> str: ...
    def kill(self) -> None: ...
    def start(self) -> None: ...
    def freeze(self) -> None: ...
    def thaw(self) -> None: ...
    def empty(self) -> None: ...
    def wipe(self) -> None: ...


@runtime_checkable
class Fillable(Protocol):
    """**Protocol:** a store on a disk that can be filled up."""

    def fill(self) -> None: ...
    def make_room(self) -> None: ...


@runtime_checkable
class Placed(Protocol):
    """**Protocol:** a store whose clients are to be somewhere else than this process."""

    def prefix(self, name: str) -> Sequence[str]:
        """Return what comes before the command of the process of this name."""
        ...


@runtime_checkable
class Weakenable(Protocol):
    """**Protocol:** a store whose settings can be changed so that it may lose what it confirms."""

    def weaken(self) -> None: ...
    def mend(self) -> None: ...


class ValkeyTarget:
    """One Valkey or Redis server."""

    name = "valkey"

    def __init__(self, server: RedisServer, *, timeout: float = 1.0) -> None:
        self._server = server
        self.url = f"{server.url}?timeout={timeout}"

    def kill(self) -> None:
        self._server.kill()

    def start(self) -> None:
        self._server.start()

    def freeze(self) -> None:
        self._server.freeze()
        assert self._server._process is not None
        await_stop(self._server._process.pid)

    def thaw(self) -> None:
        self._server.thaw()

    def weaken(self) -> None:
        self._server.configure(appendfsync="everysec")

    def mend(self) -> None:
        self._server.configure(appendfsync="always")

    def empty(self) -> None:
        self._server.command("FLUSHALL")

    def wipe(self) -> None:
        self._server.kill()
        shutil.rmtree(self._server.folder / "appendonlydir")
        self._server.start()


class SQLiteTarget:
    """One SQLite file. Killed means moved away, frozen means locked by another process."""

    name = "sqlite"

    def __init__(self, folder: Path) -> None:
        self.file = folder / "annul.db"
        self.url = f"sqlite:///{self.file}"
        self._lock: sqlite3.Connection | None = None

    def kill(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.file}{suffix}").rename(f"{self.file}.away{suffix}")

    def start(self) -> None:
        # The file itself comes last: with it, but without its log, it would be an older one.
        for suffix in ("-shm", "-wal", ""):
            with contextlib.suppress(FileNotFoundError):
                Path(f"{self.file}.away{suffix}").rename(f"{self.file}{suffix}")

    def freeze(self) -> None:
        self._lock = sqlite3.connect(self.file, timeout=30.0, isolation_level=None)
        self._lock.execute("BEGIN IMMEDIATE")

    def thaw(self) -> None:
        assert self._lock is not None
        self._lock.execute("ROLLBACK")
        self._lock.close()
        self._lock = None

    def empty(self) -> None:
        nothing = self.file.with_name("nothing")
        nothing.touch()
        put_back(nothing, self.file)

    def wipe(self) -> None:
        self.kill()
        self.file.touch()


class ValkeyOnSmallDisk(ValkeyTarget):
    """A server that ends itself when it cannot write its log, and has to be started again."""

    def __init__(self, server: RedisServer, disk: SmallDisk) -> None:
        super().__init__(server)
        self.fill = disk.fill
        self._disk = disk

    def make_room(self) -> None:
        self._disk.make_room()
        self._server.kill()
        self._server.start()


class SQLiteOnSmallDisk(SQLiteTarget):
    """A file on a disk that can be filled up."""

    def __init__(self, disk: SmallDisk) -> None:
        super().__init__(disk.folder)
        self.fill, self.make_room = disk.fill, disk.make_room


class PostgresTarget:
    """One PostgreSQL server, and a schema in it."""

    name = "postgres"

    def __init__(self, server: PostgresServer, *, timeout: float = 1.0) -> None:
        self._server = server
        self.url = server.url(schema="scene", timeout=str(timeout))

    def kill(self) -> None:
        self._server.kill()

    def start(self) -> None:
        self._server.start()

    def freeze(self) -> None:
        process = self._server._process
        assert process is not None
        # Once the first one stands, no further ones begin.
        self._server.freeze()
        await_stop(process.pid)
        self._server.freeze()
        for pid in _children(process.pid):
            await_stop(pid)

    def thaw(self) -> None:
        self._server.thaw()

    def empty(self) -> None:
        self._server.run("DROP SCHEMA scene CASCADE")

    def wipe(self) -> None:
        self._server.kill()
        shutil.rmtree(self._server._data)
        self._server.create()
        self._server.start()


def await_stop(pid: int) -> None:
    """Wait until a process that was told to stop has stopped, where the system tells."""
    stat = Path(f"/proc/{pid}/stat")
    if stat.exists():
        eventually(lambda: stat.read_text().rpartition(")")[2].split()[0] in "TZ")
