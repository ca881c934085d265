"""Time that nobody waits for: clocks of machines, event loops that jump, and the world they share.

A *machine* has two clocks of its own, which drift, jump and stand still. A *process* runs on one
and has an event loop that goes by its machine's monotonic clock. The *world* knows the true time
and lets whatever is due next happen; nothing is ever due at the same moment in another order.
"""

from __future__ import annotations

import asyncio
import heapq
from math import inf
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

WALL_BASE = 1_800_000_000.0
"""What a perfect wall clock shows when a simulation begins."""

_RESOLUTION = 1e-6
_MOST_STEPS = 10_000


class NothingToRead:
    """A selector of no files."""

    def select(self, _timeout: float | None = None) -> list[Any]:
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without sockets and threads. ``clock`` tells it the time; ``step`` runs it."""

    def __init__(self, clock: Callable[[], float], failures: list[str]) -> None:
        super().__init__()
        self._clock = clock
        self._selector = NothingToRead()
        self._clock_resolution = _RESOLUTION
        self.set_exception_handler(lambda _loop, context: failures.append(_describe(context)))

    def time(self) -> float:
        return self._clock()

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

    def run_in_executor(self, _executor: object, func: Callable[..., Any], *args: Any) -> Any:  # type: ignore[override]  # noqa: ANN401 - what asyncio's says
        future: asyncio.Future[Any] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever awaits
            future.set_exception(error)
        return future

    def stop_for_good(self) -> None:
        """Close, and let go of the world: whoever has a task still has its loop."""
        self.close()
        self._clock = float

    def step(self) -> bool:
        """Run what is ready or due; say whether anything is ready after it."""
        asyncio._set_running_loop(self)
        try:
            self._run_once()  # type: ignore[attr-defined]  # what run_forever does again and again
        finally:
            asyncio._set_running_loop(None)
        return bool(self._ready)  # type: ignore[attr-defined]  # the handles that are ready

    def next_due(self) -> float:
        """Return when, by this loop's clock, the next timer is due; infinity if none is."""
        if self._ready:  # type: ignore[attr-defined]  # the handles that are ready
            return -inf
        timers = self._scheduled  # type: ignore[attr-defined]  # a heap of timers
        while timers and timers[0]._cancelled:
            self._timer_cancelled_count -= 1  # type: ignore[attr-defined]  # as _run_once does
            heapq.heappop(timers)._scheduled = False
        return timers[0]._when if timers else inf


class Machine:
    """Two clocks, made of the true time: each has a rate, and the wall clock an offset."""

    def __init__(self, world: World, *, rate: float = 1.0, skew: float = 0.0) -> None:
        self._world = world
        self._rate = rate
        self._going = rate
        self._since = 0.0
        self._monotonic = 1000.0
        self._wall = WALL_BASE + skew
        self.processes: list[Process] = []
        self.suspended = False

    def monotonic(self) -> float:
        return self._monotonic + (self._world.now - self._since) * self._going

    def wall(self) -> float:
        return self._wall + (self._world.now - self._since) * self._rate

    def truly(self, monotonic: float) -> float:
        """Return the true time at which the monotonic clock will show this."""
        if self._going == 0:
            return inf
        return self._since + (monotonic - self._monotonic) / self._going

    def jump(self, seconds: float) -> None:
        """Set the wall clock."""
        self._wall += seconds

    def suspend(self) -> None:
        """Let nothing run here; the wall clock goes on, the monotonic clock does not."""
        self._rebase(0.0)
        self.suspended = True
        for process in self.processes:
            process.look()

    def resume(self) -> None:
        self._rebase(self._rate)
        self.suspended = False
        for process in self.processes:
            process.look()

    def _rebase(self, going: float) -> None:
        self._monotonic, self._wall = self.monotonic(), self.wall()
        self._since = self._world.now
        self._going = going


class Process:
    """Something that runs on a machine, and can be held up or die."""

    def __init__(self, world: World, machine: Machine, name: str) -> None:
        self.world = world
        self.machine = machine
        self.name = name
        self.pid = world.next_pid()
        self.random = Random(f"{world.seed}/{name}/{self.pid}")
        world.dice.append(self.random)
        self.loop = VirtualLoop(machine.monotonic, world.failures)
        self._tasks: set[asyncio.Task[Any]] = set()
        self.dead = False
        self.paused = False
        self.due = inf
        world.processes.append(self)
        machine.processes.append(self)

    @property
    def runs(self) -> bool:
        return not self.paused and not self.machine.suspended

    def entropy(self, size: int) -> bytes:
        return self.random.randbytes(size)

    def start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine in this process."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self.look()
        return task

    def look(self) -> None:
        """Work out when there is something to do here next."""
        if self.dead or not self.runs:
            self.due = inf
        else:
            self.due = max(self.world.now, self.machine.truly(self.loop.next_due()))

    def run(self) -> None:
        """Do whatever there is to do now."""
        self.world.entered.append(self)
        try:
            for _ in range(_MOST_STEPS):
                if not self.loop.step():
                    break
            else:
                raise AssertionError(f"{self.name} never comes to rest")
        finally:
            self.world.entered.pop()
        self.look()

    def pause(self, *, on: bool) -> None:
        self.paused = on
        self.look()

    def die(self) -> None:
        """End at once: no request of this process reaches anybody any more."""
        if self.dead:
            return
        self.dead = True
        self.machine.processes.remove(self)
        self.world.entered.append(self)
        try:
            for _ in range(_MOST_STEPS):
                for task in sorted(asyncio.all_tasks(self.loop), key=_age):
                    task.cancel()
                if not self.loop.step() and not asyncio.all_tasks(self.loop):
                    break
        finally:
            self.world.entered.pop()
        self.loop.stop_for_good()
        self.due = inf
        self.world.processes.remove(self)


class World:
    """The true time, and everything that happens in it."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.dice = [self.random]
        """Everything that was ever drawn from."""
        self.now = 0.0
        self.failures: list[str] = []
        self.processes: list[Process] = []
        self.entered: list[Process] = []
        self._agenda: list[tuple[float, int, Callable[[], object]]] = []
        self._serial = 0
        self._pids = 100

    def next_pid(self) -> int:
        self._pids += 1
        return self._pids

    @property
    def here(self) -> Process:
        """The process that is running."""
        return self.entered[-1]

    def at(self, when: float, happen: Callable[[], object]) -> None:
        """Let something happen at a true time, or at once if that is over."""
        self._serial += 1
        heapq.heappush(self._agenda, (max(when, self.now), self._serial, happen))

    def after(self, seconds: float, happen: Callable[[], object]) -> None:
        self.at(self.now + seconds, happen)

    def run_until(self, end: float) -> None:
        """Let everything happen that is due until ``end``. May be called from what happens."""
        while True:
            due = self._agenda[0][0] if self._agenda else inf
            first = None
            for process in self.processes:
                if process.due < due:
                    due, first = process.due, process
            if due > end:
                self.now = max(self.now, end)
                return
            self.now = max(self.now, due)
            if first is not None:
                first.run()
            else:
                heapq.heappop(self._agenda)[2]()

    def close(self) -> None:
        """End every process."""
        self._agenda.clear()
        for process in list(self.processes):
            process.die()


def _age(task: asyncio.Task[Any]) -> int:
    # Tasks are kept in a set, whose order depends on where they lie in memory; names are counted.
    return int(task.get_name().rpartition("-")[2])


def _describe(context: dict[str, Any]) -> str:
    return f"{context.get('message')}: {context.get('exception')!r}"
