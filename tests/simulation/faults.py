"""What goes wrong: drawn from the seed, begun now and then, and over when the world heals."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from annul.core.proof import prove
from annul.core.revocation import Fingerprinter, Kind, Position, Reason, Revocation
from annul.errors import AnnulError
from tests.simulation.history import FORGER
from tests.simulation.server_faults import ServerFaults
from tests.simulation.virtual_time import WALL_BASE
from tests.simulation.workload import ISSUER, Desk

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.simulation.cast import Member, Stage
    from tests.simulation.history import Token
    from tests.simulation.network import Link
    from tests.simulation.store_client import ClientStore
    from tests.simulation.virtual_time import Machine

SAFE = {
    "cut": 10,
    "slow": 6,
    "lossy": 4,
    "pause": 5,
    "suspend": 4,
    "jump": 4,
    "restart": 4,
    "fork": 3,
    "store_restart": 2,
    "forged_offer": 1,
    "ambush": 2,
}
REPLICATED = {"split": 4, "promote": 6, "coup": 3}
UNSAFE = {"roll_back": 5, "wipe": 2}

OF_THEIR_OWN: dict[str, dict[str, int]] = {
    "long": {},
    "durable": {},
    "replicated": REPLICATED,
    "unsafe": UNSAFE,
}
"""What goes wrong only in seeds of one profile."""


def some_of(weights: dict[str, int], random: Random, share: float = 0.5) -> dict[str, int]:
    """Return about this share of the choices, and at least one if there are any."""
    left = {name: weight for name, weight in weights.items() if random.random() < share}
    return left or dict(random.sample(sorted(weights.items()), min(1, len(weights))))


def faults_of(profile: str, random: Random) -> dict[str, int]:
    """Return what may go wrong in one seed.

    It is never everything, and often little: what is rare happens only where nothing else gets
    in its way.
    """
    share = random.choice((0.1, 0.4, 0.8))
    return some_of(SAFE, random, share) | some_of(OF_THEIR_OWN[profile], random)


_REMINDERS = 8


class Nemesis:
    """Does harm until ``heal``."""

    def __init__(self, stage: Stage, kinds: dict[str, int], rate: float) -> None:
        self.stage = stage
        self.world = stage.world
        self.random: Random = stage.world.random
        self.kinds = kinds
        self.rate = rate
        self.over = False
        self.asleep = False
        self._undo: dict[int, Callable[[], None]] = {}
        self._serial = 0
        self._jumped: set[Machine] = set()
        self.servers = ServerFaults(self)
        # A machine either sleeps or has its clock set: both at once cannot be told from no time.
        self._sleepers = [m for m in self._machines() if self.random.random() < 0.5]

    def _machines(self) -> list[Machine]:
        return list(dict.fromkeys(member.machine for member in self.stage.members))

    def begin(self) -> None:
        self.world.after(self.random.expovariate(self.rate), self._strike)

    def _strike(self) -> None:
        if self.over:
            return
        if self.asleep:
            self.begin()
            return
        (kind,) = self.random.choices(list(self.kinds), list(self.kinds.values()))
        self.stage.history.note("fault", kind)
        getattr(self if hasattr(self, kind) else self.servers, kind)()
        self.begin()

    def until(self, seconds: float, undo: Callable[[], None]) -> None:
        """Undo something after a while, or when the world heals."""
        self._serial += 1
        serial = self._serial
        self._undo[serial] = undo

        def end() -> None:
            if self._undo.pop(serial, None) is not None:
                undo()

        self.world.after(seconds, end)

    def heal(self) -> None:
        """End everything that goes wrong."""
        self.over = True
        self.stage.history.note("healed")
        for serial in list(self._undo):
            self._undo.pop(serial)()
        for member in self.stage.members:
            member.link.heal()
        self.servers.heal()
        self.stage.history.healed = self.world.now

    def member(self) -> Member:
        return self.random.choice(self.stage.members)

    def short(self) -> float:
        return self.random.choice((0.05, 0.3, 1.0, 2.5, 5.0)) * self.random.uniform(0.7, 1.3)

    # --- the network ------------------------------------------------------------------

    def cut(self) -> None:
        link = self.member().link
        which = self.random.choice(("mute", "deaf", "both"))
        link.mute, link.deaf = which != "deaf", which != "mute"
        self.until(self.short(), lambda: _join(link))

    def slow(self) -> None:
        link = self.member().link
        link.delay = self.random.choice((0.02, 0.1, 0.4, 1.0))
        self.until(self.short(), link.heal)

    def lossy(self) -> None:
        link = self.member().link
        link.loss, link.twice = 0.3, 0.3
        self.until(self.short(), link.heal)

    # --- processes and machines -------------------------------------------------------

    def pause(self) -> None:
        process = self.member().process
        if process.paused:
            return
        process.pause(on=True)
        long = 40.0 if self.random.random() < 0.03 else 0.0
        self.until(self.short() + long, lambda: process.pause(on=False))

    def suspend(self) -> None:
        machine = self.member().machine
        if machine.suspended or machine not in self._sleepers:
            return
        machine.suspend()
        self.until(self.short(), lambda: self._resume(machine))

    def _resume(self, machine: Machine) -> None:
        if not self.asleep:
            machine.resume()

    def jump(self) -> None:
        machine = self.member().machine
        if machine in self._sleepers or machine in self._jumped:
            return
        # Keys are made and retired by an authority's own clock, so that one is never far off.
        authorities = {member.machine for member in self.stage.authorities}
        if machine in authorities:
            by = self.random.choice((14.0, 14.0, 14.0, -14.0, -2.0))
        else:
            by = self.random.choice((-3600.0, -3600.0, -20.0, -2.0, 3600.0, 3 * 86_400.0))
        self._set(machine, by)

    def _set(self, machine: Machine, by: float, lasting: float | None = None) -> None:
        self._jumped.add(machine)
        machine.jump(by)

        def set_right() -> None:
            machine.jump(-by)
            self._jumped.discard(machine)
            self._remind(machine)

        self.until(self.short() if lasting is None else lasting, set_right)

    def _remind(self, machine: Machine) -> None:
        """Present what was revoked by its own id, which is forgotten the soonest."""
        history = self.stage.history
        revoked = {f.id for f in history.facts if f.kind is Kind.TOKEN and f.acked is not None}
        tokens = [token for token in history.tokens if token.jti in revoked][-_REMINDERS:]
        for member in self.stage.verifiers:
            if member.machine is machine:
                for number, token in enumerate(tokens):
                    self.world.after(0.5 + number / 10, partial(member.verify, token))

    def ambush(self) -> None:
        """Have a fence waited for while somebody is cut off and a clock is set forward."""
        member = self.random.choice(self.stage.authorities)
        if member.process.dead or member.authority is None:
            return
        self.cut()
        desk = Desk(self.stage, member)
        process = member.process
        process.start(desk.serve("revoke_and_wait"))
        if member.machine not in {*self._sleepers, *self._jumped}:
            self._jumped.add(member.machine)
            self.world.after(
                self.random.uniform(0.02, 1.0), lambda: self._set(member.machine, 14.0)
            )

    def oversleep(self, seconds: float, tokens: list[Token]) -> None:
        """Let a verifier's clock show the time at which it fell asleep, and present old tokens."""
        if self.over:
            return
        member = self.random.choice(self.stage.verifiers)
        taken = {*self._jumped, *(other.machine for other in self.stage.authorities)}
        if member.machine not in taken:
            self._set(member.machine, -seconds, 3.0)
            for number, token in enumerate(tokens):
                self.world.after(0.8 + number / 10, partial(member.verify, token))

    def restart(self) -> None:
        member = self.member()
        # An authority that starts beside an empty store cannot know what it was founded as.
        if self.stage.model.wiped and member in self.stage.authorities:
            return
        if not member.process.dead:
            member.die()
            self.until(self.random.uniform(0.05, 1.5), member.start)

    def fork(self) -> None:
        if not self.stage.verifiers:
            return
        member = self.random.choice(self.stage.verifiers)
        if member.process.runs and not member.process.dead:
            member.fork()

    def forged_offer(self) -> None:
        """Let somebody who has got hold of a verifier's credential make up a revocation."""
        entry = Revocation(
            position=Position(2**33, 1),
            tag=self.random.randbytes(16),
            issuer=ISSUER,
            kind=Kind.SUBJECT,
            fingerprint=Fingerprinter(ISSUER)(Kind.SUBJECT, "dave"),
            reason=Reason.ADMIN,
            at=WALL_BASE,
            expires_at=int(WALL_BASE) + 10**6,
            id="dave",
            actor=FORGER,
        )
        entry = replace(entry, proof=prove(entry, "made-up", bytes(32)))
        member = self.member()
        if not member.process.dead:
            member.process.start(_offer(member.store(), entry))

    def sleep(self) -> Callable[[], None]:
        """Suspend every machine but the store's; return what wakes them."""
        self.asleep = True
        sleepers = self._machines()
        for machine in sleepers:
            machine.suspend()

        def wake() -> None:
            self.asleep = False
            for machine in sleepers:
                machine.resume()

        return wake

    # --- the store --------------------------------------------------------------------

    def store_restart(self) -> None:
        self.stage.model.stop()
        self.until(self.random.uniform(0.02, 1.0), self.stage.model.start)

    def roll_back(self) -> None:
        self.stage.model.roll_back()
        for member in self.stage.authorities:
            if not member.process.dead and member.authority is not None:
                # Whoever has refreshed since goes on as if nothing had happened.
                for _ in range(3):
                    member.process.start(Desk(self.stage, member).serve("come_back"))

    def wipe(self) -> None:
        if all(m.authority is not None and not m.process.dead for m in self.stage.authorities):
            self.stage.model.wipe()


async def _offer(store: ClientStore, entry: Revocation) -> None:
    with contextlib.suppress(AnnulError):
        await store.offer([entry])


def _join(link: Link) -> None:
    link.mute = link.deaf = False
