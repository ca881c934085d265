"""Stores of several nodes in scenes: failovers, nodes that are down, and links that are cut."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.faults.namespaces import machines
from tests.faults.settings import ACCEPTED
from tests.redis_nodes import redis_cluster, redis_sentinels, tell
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.faults.harness import Scene
    from tests.faults.namespaces import Machines
    from tests.redis_nodes import Cluster, Sentinels
    from tests.servers import RedisServer

_PATIENCE = 500
_TIMEOUT = 0.6
_FAILS_OVER_WITHIN = 60.0
"""How long a failover and what comes after it may take: that is up to Sentinel, not to annul."""


class SentinelTarget:
    """Nodes under Sentinel. What is said of *the* server is said of the primary."""

    name = "sentinel"

    def __init__(self, sentinels: Sentinels) -> None:
        self.sentinels = sentinels
        self.url = f"{sentinels.url}&timeout={_TIMEOUT}"
        self._down: list[RedisServer] = []

    def kill(self) -> None:
        """End all nodes at once, so that nothing is confirmed any more."""
        self._down = list(self.sentinels.nodes)
        for node in self._down:
            node.kill()

    def start(self) -> None:
        for node in self._down:
            node.start()

    def freeze(self) -> None:
        for node in self.sentinels.nodes:
            node.freeze()

    def thaw(self) -> None:
        for node in self.sentinels.nodes:
            node.thaw()

    def empty(self) -> None:
        tell(self.sentinels.primary, "FLUSHALL")

    def wipe(self) -> None:
        """Restart the primary with nothing, before anybody is promoted."""
        primary = self.sentinels.primary
        primary.kill()
        primary.forget()
        primary.start()
        self.sentinels.settle()


class ClusterTarget:
    """A cluster. What is said of *the* server is said of the shard that has the store."""

    name = "cluster"

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.url = f"{cluster.url}&timeout={_TIMEOUT}"
        self._shard: list[RedisServer] = []

    def kill(self) -> None:
        self._shard = self.cluster.shard_of("annul")
        for node in self._shard:
            node.kill()

    def start(self) -> None:
        for node in self._shard:
            node.start()
        self.cluster.settle()

    def freeze(self) -> None:
        self._shard = self.cluster.shard_of("annul")
        for node in self._shard:
            node.freeze()

    def thaw(self) -> None:
        for node in self._shard:
            node.thaw()

    def empty(self) -> None:
        tell(self.cluster.shard_of("annul")[0], "FLUSHALL")

    def wipe(self) -> None:
        primary = self.cluster.shard_of("annul")[0]
        primary.kill()
        primary.forget()
        primary.start()
        self.cluster.settle()


class DividedTarget(SentinelTarget):
    """Nodes under Sentinel on two machines whose link can be cut, and processes on both."""

    name = "divided"

    def __init__(self, sentinels: Sentinels, machines: Machines) -> None:
        super().__init__(sentinels)
        self.machines = machines

    def prefix(self, name: str) -> Sequence[str]:
        """Return the way to the machine of a process: every other one is on the left."""
        two = self.machines
        return (two.left if int(name[-1]) % 2 else two.right).prefix


@contextmanager
def sentinel(_folder: Path) -> Iterator[SentinelTarget]:
    with redis_sentinels(patience=_PATIENCE) as sentinels:
        yield SentinelTarget(sentinels)


@contextmanager
def cluster(_folder: Path) -> Iterator[ClusterTarget]:
    with redis_cluster(patience=_PATIENCE) as cluster:
        yield ClusterTarget(cluster)


@contextmanager
def divided(_folder: Path) -> Iterator[DividedTarget]:
    """A primary and a replica on one machine, a replica and all Sentinels on the other."""
    with machines() as two:
        places = [two.left, two.left, two.right, *[two.right] * 3]
        with redis_sentinels(patience=_PATIENCE, places=places) as sentinels:
            yield DividedTarget(sentinels, two)


def _sentinels(scene: Scene) -> Sentinels:
    assert isinstance(scene.target, SentinelTarget)
    return scene.target.sentinels


def fail_over(scene: Scene, times: int) -> None:
    """Kill the primary under load. A replica takes its place; later the dead node comes back."""
    sentinels = _sentinels(scene)
    for _ in range(times):
        scene.await_acknowledged(25)
        first = sentinels.primary
        first.kill()
        scene.wait(lambda first=first: sentinels.primary is not first, within=_FAILS_OVER_WITHIN)  # type: ignore[misc]  # a lambda with a default
        scene.await_accepting(scene.now(), within=_FAILS_OVER_WITHIN)
        sentinels.bring_back(first)
        sentinels.settle()
        scene.await_acknowledged(1)
        scene.verdict.amount += 1


def fail_over_shard(scene: Scene, times: int) -> None:
    """Kill the primary of the shard under load; its replica takes its place."""
    assert isinstance(scene.target, ClusterTarget)
    cluster = scene.target.cluster
    for _ in range(times):
        scene.await_acknowledged(25)
        first = cluster.shard_of("annul")[0]
        first.kill()
        scene.wait(
            lambda first=first: cluster.shard_of("annul")[0] is not first,  # type: ignore[misc]  # a lambda with a default
            within=_FAILS_OVER_WITHIN,
        )
        first.start()
        cluster.settle()
        scene.await_accepting(scene.now(), within=_FAILS_OVER_WITHIN)
        scene.await_acknowledged(1)
        scene.verdict.amount += 1


def lose_a_node(scene: Scene, times: int) -> None:
    """Kill a replica: verification goes on without a gap, and nothing is acknowledged."""
    sentinels = _sentinels(scene)
    for number in range(times):
        scene.await_acknowledged(10)
        down = sentinels.replicas[number % 2]
        down.kill()
        # What was being confirmed at that moment may still be.
        scene.await_moment(scene.now() + _TIMEOUT)
        killed, acknowledged = scene.now(), scene.history.acknowledged
        scene.await_moment(killed + 3 * scene.delta)
        if scene.history.acknowledged > acknowledged:
            scene.violate("acknowledged by too few", down.url)
        for witness in scene.witnesses():
            if any(cause != ACCEPTED and at > killed for cause, at in witness.causes):
                scene.violate("stopped verifying", witness.name)
        sentinels.bring_back(down)
        sentinels.settle()
        scene.await_acknowledged(1)
        scene.verdict.amount += 1


def cut_link(scene: Scene, times: int) -> None:
    """Cut the primary off together with one replica, until the other one is promoted, and longer.

    Some verifiers are on one side and some on the other; so are the authorities.
    """
    assert isinstance(scene.target, DividedTarget)
    sentinels, two = scene.target.sentinels, scene.target.machines
    for _ in range(times):
        scene.await_acknowledged(25)
        _bring_home(scene, sentinels, two)
        first = sentinels.primary
        scene.await_acknowledged(5)
        two.cut()
        try:
            scene.wait(
                lambda first=first: sentinels.primary is not first,  # type: ignore[misc]  # a lambda with a default
                within=_FAILS_OVER_WITHIN,
            )
            scene.await_moment(scene.now() + 3 * scene.delta)
        finally:
            two.join()
        eventually(sentinels.settled, within=_FAILS_OVER_WITHIN)
        scene.await_accepting(scene.now(), within=_FAILS_OVER_WITHIN)
        scene.await_acknowledged(1)
        scene.verdict.amount += 1


def _bring_home(scene: Scene, sentinels: Sentinels, two: Machines) -> None:
    """Have a node on the left be the primary again, away from the Sentinels."""
    while sentinels.primary.host != two.left.host:
        first = sentinels.primary
        sentinels.promote_another()
        scene.wait(lambda first=first: sentinels.primary is not first, within=_FAILS_OVER_WITHIN)  # type: ignore[misc]  # a lambda with a default
        sentinels.settle()
        scene.await_acknowledged(1)
