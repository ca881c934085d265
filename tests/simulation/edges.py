"""The edges of the code under test, for as long as a simulation runs: clocks, entropy, the portal.

Nothing else is replaced. Whatever reads a clock gets that of the machine it runs on, entropy comes
from the seed, and what would run in a thread of its own runs in its process's event loop.
"""

from __future__ import annotations

import logging
import weakref
from contextlib import ExitStack, contextmanager
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import annul.authority.keeper
import annul.door
import annul.replica
import annul.replica.archive
import annul.replica.follower
import annul.replica.reading
import annul.stores.memory
from annul.core.denylist import Denylist, Facts
from annul.core.jwk import PrivateKey
from annul.replica import Replica

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Coroutine, Iterator

    from annul.core.revocation import Revocation
    from annul.replica.follower import Follower
    from tests.simulation.virtual_time import World

_current: list[World] = []
"""The world that is simulated now."""


def world() -> World:
    return _current[-1]


class Died(BaseException):
    """The process whose thread was held up is no more."""


class Hold:
    """Lets the thread of a verification be held up, anywhere between what it reads.

    ``left`` is how often that may still happen to the verification that is going on.
    """

    left = 0
    going_on = False

    @classmethod
    def here(cls) -> None:
        """Let others run, perhaps for a while."""
        if cls.left <= 0 or cls.going_on:
            return
        now = world()
        process = now.here
        if now.random.random() < 0.6:
            return
        left, cls.left = cls.left, 0
        entered, now.entered = now.entered, []
        until = now.now + now.random.choice((0.0, 0.002, 0.05, 0.5, 3.0))
        cls.going_on = True
        try:
            now.run_until(until)
            while not process.dead and not process.runs:
                until += 0.25
                now.run_until(until)
        finally:
            cls.going_on = False
            now.entered = entered
            cls.left = left - 1
        if process.dead:
            raise Died


def _monotonic() -> float:
    Hold.here()
    return world().here.machine.monotonic()


class HeldDenylist(Denylist):
    """The real one, in which the thread that asks may be held up."""

    __slots__ = ()

    def find(self, facts: Facts) -> Revocation | None:
        if Hold.left:
            Hold.here()
            hit = super().find(facts)
            Hold.here()
            return hit
        return super().find(facts)


class SimulatedReplica(Replica):
    """The real one, with the clock of its machine where the real one has the machine's."""

    _monotonic = staticmethod(_monotonic)


def wall() -> float:
    """Return what the wall clock of the machine shows.

    It is read right after the monotonic one. Who is held up between the two, or after both, answers
    later than it says; what is promised is about verifications that begin.
    """
    return world().here.machine.wall()


class _Following:
    """What the portal gives for what runs in it; it holds on to nothing when that has ended."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = weakref.ref(task)

    def cancel(self) -> None:
        task = self._task()
        if task is not None:
            task.cancel()


def _submit(work: Coroutine[Any, Any, None]) -> _Following:
    return _Following(world().here.start(work))


def _generate(alg: str) -> PrivateKey:
    seed = world().here.entropy(32)
    return PrivateKey(Ed25519PrivateKey.from_private_bytes(seed), alg=alg)


def _follower(**options: Any) -> Follower:  # noqa: ANN401 - those of Follower
    return annul.replica.follower.Follower(entropy=world().here.entropy, **options)


class _Errors(logging.Handler):
    """Keeps what was logged with a traceback: no simulated misfortune is a surprise."""

    def __init__(self, failures: list[str]) -> None:
        super().__init__(logging.ERROR)
        self._failures = failures

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self._failures.append(f"{record.getMessage()}: {record.exc_info[1]!r}")


@contextmanager
def edges(simulated: World) -> Iterator[None]:
    """Let the code under test live in this world."""
    clocks = SimpleNamespace(monotonic=_monotonic, time=wall)
    system = SimpleNamespace(
        getpid=lambda: world().here.pid,
        urandom=simulated.random.randbytes,
        uname=lambda: SimpleNamespace(nodename="simulated"),
    )
    logger = logging.getLogger("annul")
    handler = _Errors(simulated.failures)
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    _current.append(simulated)
    try:
        with ExitStack() as stack:
            swap = partial(_swap, stack)
            swap(annul.replica, time=clocks, os=system, Follower=_follower, Denylist=HeldDenylist)
            swap(annul.replica, portal=SimpleNamespace(submit=_submit))
            swap(annul.replica.archive, time=clocks)
            swap(annul.authority.keeper, os=system)
            # Small numbers, so that there is soon a second batch, and something to prune.
            swap(annul.replica.reading, _BATCH=3, _PAGE=4)
            swap(annul.replica.follower, _PRUNE_EVERY=2.0, os=system)
            swap(annul.door, time=clocks, _TIDY_EVERY=2.0)
            swap(annul.stores.memory, os=system)
            swap(PrivateKey, generate=_generate)
            yield
    finally:
        _current.pop()
        Hold.left, Hold.going_on = 0, False
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


def _swap(stack: ExitStack, owner: object, **values: object) -> None:
    for name, value in values.items():
        stack.enter_context(patch.object(owner, name, value))
