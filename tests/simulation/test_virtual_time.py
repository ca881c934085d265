"""The simulated world itself: its clocks, its event loops, and what becomes of a process."""

from __future__ import annotations

import asyncio

import pytest

from tests.simulation.virtual_time import WALL_BASE, Machine, Process, World


def test_sleeping_takes_no_time_but_that_of_the_machine() -> None:
    world = World(1)
    process = Process(world, Machine(world), "one")
    woke: list[float] = []

    async def sleep() -> None:
        await asyncio.sleep(3600)
        woke.append(world.now)

    process.start(sleep())
    world.run_until(5000)
    world.close()
    assert woke == [pytest.approx(3600)]


def test_a_slow_clock_lets_its_process_sleep_longer() -> None:
    world = World(1)
    process = Process(world, Machine(world, rate=0.5), "one")
    woke: list[float] = []

    async def sleep() -> None:
        await asyncio.sleep(10)
        woke.append(world.now)

    process.start(sleep())
    world.run_until(100)
    world.close()
    assert woke == [pytest.approx(20)]


def test_only_the_wall_clock_goes_on_in_a_suspended_machine() -> None:
    world = World(1)
    machine = Machine(world, skew=7)
    world.run_until(1)
    before = machine.monotonic()
    machine.suspend()
    world.run_until(101)
    machine.resume()
    assert machine.monotonic() == before
    assert machine.wall() == pytest.approx(WALL_BASE + 7 + 101)


def test_a_wall_clock_that_is_set_leaves_the_monotonic_one_alone() -> None:
    world = World(1)
    machine = Machine(world)
    before = machine.monotonic()
    machine.jump(-3600)
    assert machine.wall() == WALL_BASE - 3600
    assert machine.monotonic() == before


@pytest.mark.parametrize("suspended", [False, True])
def test_nothing_runs_in_a_process_that_is_held_up(suspended: bool) -> None:
    world = World(1)
    machine = Machine(world)
    process = Process(world, machine, "one")
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            await asyncio.sleep(1)
            ticks.append(world.now)

    process.start(tick())
    world.run_until(2.5)
    if suspended:
        machine.suspend()
    else:
        process.pause(on=True)
    world.run_until(9.5)
    assert len(ticks) == 2
    if suspended:
        machine.resume()
    else:
        process.pause(on=False)
    world.run_until(12)
    world.close()
    assert len(ticks) > 2
    assert min(tick for tick in ticks if tick > 2.5) >= 9.5


def test_a_process_that_dies_does_nothing_any_more() -> None:
    world = World(1)
    process = Process(world, Machine(world), "one")
    ticks: list[float] = []

    async def tick() -> None:
        while True:
            await asyncio.sleep(1)
            ticks.append(world.now)

    process.start(tick())
    world.run_until(2.5)
    process.die()
    world.run_until(9)
    assert len(ticks) == 2
    assert world.processes == []
    assert world.failures == []
