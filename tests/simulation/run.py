"""One simulation from one seed: set the stage, let things happen, heal, and judge."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.simulation.cast import HORIZON, AuthorityMember, Member, Stage
from tests.simulation.checker import judge
from tests.simulation.edges import edges
from tests.simulation.faults import Nemesis, faults_of, some_of
from tests.simulation.history import History, Token
from tests.simulation.probes import Probes
from tests.simulation.replicated_model import ReplicatedModel
from tests.simulation.store_model import StoreModel
from tests.simulation.virtual_time import Machine, World
from tests.simulation.workload import ALWAYS, SOMETIMES, Desk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from random import Random

    from tests.simulation.violation import Violation

_STALENESS = (0.25, 0.5, 1.0, 1.0, 2.0, 2.0, 3.0, 3.0, 3.0)
_BEGINNING = 1.5
_AFTER_SLEEP = 4.0
_LONGEST_ENDING = 11.0


@dataclass(frozen=True)
class Result:
    """What came of a seed."""

    seed: int
    profile: str
    violations: tuple[Violation, ...]
    digest: str
    trace: tuple[str, ...]
    accepted: int
    answers: int


@contextmanager
def nothing(_world: World) -> Iterator[None]:
    """Change nothing."""
    yield


def profile_of(seed: int) -> str:
    """Return what kind of store and trouble a seed is about."""
    return ("durable", "replicated", "unsafe", "long")[seed % 4]


def simulate(seed: int, plant: Callable[[World], AbstractContextManager[None]] = nothing) -> Result:
    """Play one seed and judge what happened. ``plant`` may change the code for as long."""
    world = World(seed)
    profile = profile_of(seed)
    with edges(world):
        try:
            with plant(world):
                stage = set_stage(world, profile)
                play(stage, profile)
            history = stage.history
            violations = judge(stage)
            return Result(
                seed,
                profile,
                tuple(violations),
                history.digest,
                tuple(history.latest),
                sum(answer.outcome == "accepted" for answer in history.answers),
                len(history.answers),
            )
        finally:
            world.close()


def set_stage(world: World, profile: str) -> Stage:
    """Put machines and processes where they belong."""
    random = world.random
    model = ReplicatedModel if profile == "replicated" else StoreModel
    stage = Stage(world, model(world, _machine(world, random)), History(world))
    stage.verbs = ALWAYS | some_of(SOMETIMES, random)
    stage.access_ttl = 6 if profile == "long" else 900
    if world.seed % 8 == 4:
        stage.access_ttl = 7200  # so that tokens outlive a clock that is set
    stage.session_ttl = 300 if profile == "long" else 86_400
    stage.revokes_keys = random.random() < 0.5
    count = random.choice((1, 2, 2, 2, 3))
    for number in range(count):
        machine = _machine(world, random)
        delta = random.choice(_STALENESS)
        stage.authorities.append(AuthorityMember(stage, machine, f"A{number}", delta=delta))
    shared: Machine | None = None
    for number in range(random.choice((1, 2, 2, 3))):
        machine = shared or _machine(world, random)
        shared = machine if random.random() < 0.3 else None
        delta = random.choice(_STALENESS)
        leeway = random.choice((0.0, 0.0, 300.0))
        member = Member(stage, machine, f"V{number}", delta=delta, leeway=leeway)
        member.fixed = stage.revokes_keys and random.random() < (0.7 if number == 0 else 0.2)
        stage.verifiers.append(member)
    return stage


def _machine(world: World, random: Random) -> Machine:
    rate = 1 + random.uniform(-500e-6, 500e-6)
    return Machine(world, rate=rate, skew=random.choice((0.0, random.uniform(-20, 20))))


def play(stage: Stage, profile: str) -> None:
    """Let everything happen until some time after the world has healed."""
    world, random = stage.world, stage.world.random
    nemesis = Nemesis(stage, faults_of(profile, random), rate=random.choice((0.7, 1.5, 2.5)))
    trouble = random.uniform(6, 11)
    probes = Probes(stage)
    sleep = random.choice((120.0, 250.0, 450.0)) if profile == "long" else 0.0
    end = _BEGINNING + trouble + sleep + (_AFTER_SLEEP if sleep else 0.0)
    serve(stage, end, every=random.choice((0.2, 0.4)))
    world.run_until(_BEGINNING)
    stage.model.save()
    nemesis.begin()
    probes.begin()
    world.run_until(_BEGINNING + trouble / 2)
    if random.random() < 0.5:
        stage.model.save()
    if sleep:
        last = stage.history.tokens[-12:]
        wake = nemesis.sleep()
        world.run_until(world.now + sleep)
        wake()
        if random.random() < 0.5:
            seconds = sleep + HORIZON + 4
            world.after(HORIZON + 1, lambda: nemesis.oversleep(seconds, last))
        for member in stage.verifiers[:1]:
            member.die()
            member.start()
    world.run_until(end)
    nemesis.heal()
    finish(stage, probes)


def serve(stage: Stage, until: float, *, every: float) -> None:
    """Have people at every authority, after a restart as well."""
    manned: set[object] = set()

    def man() -> None:
        for member in stage.authorities:
            if member.process not in manned and not member.process.dead:
                manned.add(member.process)
                member.process.start(Desk(stage, member).open(until, every))
        if stage.world.now < until:
            stage.world.after(0.5, man)

    man()


def finish(stage: Stage, probes: Probes) -> None:
    """See that everything works again in time, and that nothing is missing in the end."""
    world, history = stage.world, stage.history
    late: list[Token] = []

    async def log_in(member: AuthorityMember) -> None:
        for _ in range(40):
            try:
                late.append(await Desk(stage, member).login("dave", "late"))
            except Exception as error:  # noqa: BLE001 - said by the checker if it stays so
                history.note(member.name, "late login", type(error).__name__, error)
                await asyncio.sleep(0.1)
            else:
                return
        history.unexpected.append(f"{member.name} cannot log anybody in after healing")

    for member in stage.authorities:
        member.process.start(log_in(member))
    world.run_until(history.healed + 0.5)
    probes.wake()
    world.run_until(history.healed + 2 * HORIZON + 1)
    probes.final("healed", [*history.tokens])
    world.run_until(history.healed + _LONGEST_ENDING)
    probes.final("end", [*history.tokens])
