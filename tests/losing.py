"""Ways in which stores lose what they have acknowledged, each as it may happen to an operator."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers import RedisServer
    from tests.stage import Stage

__all__ = ["ROLLBACKS", "Emptied", "Loss", "Removed", "copy", "put_back"]


class Loss(Protocol):
    """**Protocol:** one way to lose what was written since ``remember``."""

    def remember(self) -> None: ...
    def lose(self) -> None: ...


def copy(file: Path, to: Path) -> None:
    """Make a backup of a database in use, as an operator would."""
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(to)) as target:
        source.backup(target)


def put_back(backup: Path, file: Path) -> None:
    """Put a backup in the place of the database, with nothing left of what was newer."""
    for leftover in (f"{file}-wal", f"{file}-shm"):
        (file.parent / leftover).unlink(missing_ok=True)
    shutil.copyfile(backup, f"{backup}.copy")
    backup.with_name(f"{backup.name}.copy").replace(file)


class Overwritten:
    """A SQLite database whose content is an older one again, in the very same file."""

    def __init__(self, stage: Stage, _server: RedisServer | None) -> None:
        self.file, self.backup = stage.folder / "annul.db", stage.folder / "backup.db"

    def remember(self) -> None:
        copy(self.file, self.backup)

    def lose(self) -> None:
        inode = self.file.stat().st_ino
        copy(self.backup, self.file)
        assert self.file.stat().st_ino == inode


class Replaced(Overwritten):
    """A SQLite database in whose place an older file was put."""

    def lose(self) -> None:
        put_back(self.backup, self.file)


class Removed(Overwritten):
    """A SQLite database that somebody has moved away; ``come_back`` brings it back."""

    def lose(self) -> None:
        for name in ("annul.db", "annul.db-wal", "annul.db-shm"):
            if (self.file.parent / name).exists():
                (self.file.parent / name).rename(self.file.parent / f"away-{name}")

    def come_back(self) -> None:
        for away in self.file.parent.glob("away-*"):
            away.rename(self.file.parent / away.name.removeprefix("away-"))


class Older:
    """A Valkey server that was started with an older copy of its append-only file."""

    def __init__(self, stage: Stage, server: RedisServer | None) -> None:
        assert server is not None
        self.server = server
        self.data = server.folder / "appendonlydir"
        self.backup = stage.folder / "backup"

    def remember(self) -> None:
        shutil.copytree(self.data, self.backup)

    def lose(self) -> None:
        self.server.kill()
        shutil.rmtree(self.data)
        shutil.copytree(self.backup, self.data)
        self.server.start()


class FromSnapshot(Older):
    """A Valkey server that was started with an older RDB snapshot."""

    def remember(self) -> None:
        self.server.command("SAVE")
        self.backup.mkdir()
        (self.server.folder / "dump.rdb").rename(self.backup / "appendonly.aof.1.base.rdb")
        manifest = "file appendonly.aof.1.base.rdb seq 1 type b\n"
        (self.backup / "appendonly.aof.manifest").write_text(manifest)


class Truncated(Older):
    """A Valkey server whose append-only file has lost its end, in the middle of a command."""

    def _newest(self) -> Path:
        return max(self.data.glob("*.incr.aof"), key=lambda path: path.stat().st_mtime_ns)

    def remember(self) -> None:
        self.length = self._newest().stat().st_size

    def lose(self) -> None:
        self.server.kill()
        newest = self._newest()
        with newest.open("r+b") as file:
            file.truncate(self.length + 9)
        self.server.start()


class Emptied:
    """A store with nothing in it any more."""

    def __init__(self, stage: Stage, server: RedisServer | None) -> None:
        self._stage = stage
        self._server = server

    def remember(self) -> None:
        pass

    def lose(self) -> None:
        if self._server is not None:
            self._server.command("FLUSHALL")
        else:
            file = self._stage.folder / "annul.db"
            (self._stage.folder / "empty").touch()
            put_back(self._stage.folder / "empty", file)


ROLLBACKS: dict[str, type[Overwritten | Older]] = {
    "sqlite-overwritten": Overwritten,
    "sqlite-replaced": Replaced,
    "valkey-older": Older,
    "valkey-snapshot": FromSnapshot,
    "valkey-truncated": Truncated,
}
"""The ways in which a store is as it was once before."""
