"""A scene of real processes on a real store: authorities, verifiers, somebody who does harm.

The processes are ``tests.faults.authority`` and ``tests.faults.verifier``. They share nothing but
the store, and write diaries. Whoever holds the scene hurts the store (a ``Target``) or a process,
heals it, and ends with ``finish``, which has everybody verify every token once more and asks the
judge.

**Another kind of store** is a class with the verbs of ``tests.faults.targets.Target``: ``url`` is
what authorities and verifiers open; after ``kill`` or ``freeze`` has returned, nothing may be
confirmed any more until ``start`` or ``thaw``, which lose nothing; ``empty`` and ``wipe`` lose
everything and leave it running. A store of several nodes decides which of them each verb is about,
and may have further verbs (cut a link, promote), because the stories in ``tests.faults.stories``
are only functions of a scene: write one that calls them. Where ``kill`` does not interrupt service
(a failover), wait with ``await_accepting`` for longer than by default. If its clients are to be
somewhere else, such as in a network namespace, give it ``prefix`` as well (``Placed``). Then enter
it in ``tests.faults.parts``, and ``make torture`` plays it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Self

from annul.errors import AnnulError
from annul.stores import open_store
from tests.faults.actor import Actor, Metronome
from tests.faults.history import History, Loss
from tests.faults.judge import FactsByTarget, judge
from tests.faults.settings import ISSUER, Settings
from tests.faults.targets import Placed
from tests.simulation.violation import Violation
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.faults.history import Witness
    from tests.faults.targets import Target

_PATIENCE = 30.0
_SERVICE = 2.0
_REST = 0.01


@dataclass(kw_only=True)
class Verdict:
    """What came of a scene; times in seconds, the worst of each kind, without what the machine
    itself was late by."""

    amount: int = 0
    acknowledged: int = 0
    lost: int = 0
    late: int = 0
    alarm: float | None = None
    refill: float | None = None
    recovery: float | None = None
    violations: list[Violation] = field(default_factory=list)


class Scene:
    """Processes on a store from beginning to end. Use it as ``with Scene(…) as scene``.

    ``delta`` is Δ of everybody; ``pause`` how long a writing thread rests after each session.
    """

    def __init__(
        self,
        target: Target,
        folder: Path,
        *,
        delta: float,
        verifiers: int = 2,
        pause: float = 0.01,
    ) -> None:
        self.target = target
        self.folder = folder
        self.delta = delta
        self.history = History(folder)
        self.verdict = Verdict()
        self.violations: list[Violation] = []
        self.authorities: list[Actor] = []
        self.verifiers: list[Actor] = []
        self._pause = pause
        self._how_many = verifiers
        self._count = 0
        self._metronome = Metronome()

    def __enter__(self) -> Self:
        try:
            self.add_authority()
            self.verifiers += [self._add("verifier", pause=_REST) for _ in range(self._how_many)]
            for actor in self.verifiers:
                self._await_ready(actor)
            self.await_accepting(self.now())
            self.verdict.recovery = None
            self.violations.clear()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        for actor in (*self.authorities, *self.verifiers):
            actor.kill()
        self._metronome.stop()

    # --- who takes part ---------------------------------------------------------------

    def add_authority(self) -> Actor:
        """Start an authority, and return when it works."""
        actor = self._add("authority", pause=self._pause)
        self.authorities.append(actor)
        return self._await_ready(actor)

    def add_verifier(self) -> Actor:
        """Start a verifier, and return when it answers, whatever it answers."""
        actor = self._add("verifier", pause=_REST)
        self.verifiers.append(actor)
        return self._await_ready(actor)

    def _await_ready(self, actor: Actor) -> Actor:
        self.wait(lambda: actor.name in self.history.ready or not actor.runs)
        assert actor.runs, (self.folder / f"{actor.name}.log").read_text()
        return actor

    def kill_authority(self) -> None:
        """End the oldest authority at once, in the middle of whatever it does."""
        self.authorities.pop(0).kill()

    def retire(self, verifier: Actor) -> None:
        """End a verifier; what it has said is judged with the rest."""
        self.verifiers.remove(verifier)
        verifier.kill()
        self.history.read()

    def witness(self, actor: Actor) -> Witness:
        """Return what a verifier has said."""
        return self.history.witnesses[actor.name]

    def witnesses(self) -> list[Witness]:
        """Return what the verifiers that run have said."""
        return [self.witness(actor) for actor in self.verifiers]

    def _add(self, program: str, *, pause: float) -> Actor:
        self._count += 1
        name = f"{program}-{self._count:04}"
        settings = Settings(
            url=self.target.url,
            folder=str(self.folder),
            name=name,
            delta=self.delta,
            pause=pause,
        )
        prefix = self.target.prefix(name) if isinstance(self.target, Placed) else ()
        return Actor(program, settings, prefix)

    # --- waiting ----------------------------------------------------------------------

    @staticmethod
    def now() -> float:
        """Return the present on the clock that all processes share."""
        return time.monotonic()

    def wait(self, happened: Callable[[], object], *, within: float = _PATIENCE) -> None:
        """Read on until something has happened."""

        def look() -> object:
            self.history.read()
            return happened()

        eventually(look, within=within)

    def await_moment(self, moment: float) -> None:
        """Read on until a moment has come."""
        self.wait(lambda: self.now() >= moment, within=moment - self.now() + _PATIENCE)

    def await_acknowledged(self, more: int) -> None:
        """Wait until so many more revocations have been acknowledged."""
        self.history.read()
        enough = self.history.acknowledged + more
        self.wait(lambda: self.history.acknowledged >= enough)

    def await_accepting(self, healed: float, *, within: float | None = None) -> None:
        """Wait until every verifier has accepted something again since ``healed``.

        It is a violation if that took one of them more than 2 Δ + 1 s, or ``within``, not counting
        for how long the machine did not let it or its surroundings run.
        """
        limit = 2 * self.delta + 1.0 if within is None else within
        for witness in self.witnesses():
            self.wait(
                lambda witness=witness: witness.accepted_after(healed) < inf,  # type: ignore[misc]  # a lambda with a default
                within=limit + _PATIENCE,
            )
            accepted = witness.accepted_after(healed)
            took = self._without_waiting(witness, healed, accepted)
            self.verdict.recovery = max(self.verdict.recovery or 0.0, took)
            if took > limit:
                self.violate("recovered late", f"{witness.name} after {took:.3f} s")

    def await_service(self, healed: float) -> None:
        """Wait until something has been acknowledged since ``healed``.

        It is a violation if that took more than 2 s, not counting as above.
        """
        before = self.history.acknowledged
        self.wait(lambda: any(at > healed for at in self.history.acked[before:]))
        served = min(at for at in self.history.acked[before:] if at > healed)
        took = served - healed - self._metronome.late_between(healed, served)
        if took > _SERVICE:
            self.violate("served late", f"after {took:.3f} s")

    def _without_waiting(self, witness: Witness, begin: float, end: float) -> float:
        """Return how long something took, less the time in which the machine had no time for it."""
        held = witness.held_between(begin, end)
        return max(0.0, end - begin - max(held, self._metronome.late_between(begin, end)))

    def violate(self, rule: str, what: str) -> None:
        """Note something that must not have happened."""
        self.violations.append(Violation(rule, self.now(), what))

    # --- losses -----------------------------------------------------------------------

    def lose(self, harm: Callable[[], object]) -> None:
        """Do harm that loses everything; wait until it was noticed, made good and is over.

        It is a violation if a verifier notices later than 1 s, or if what was acknowledged is not
        in the store again after 10 s.
        """
        began = self.now()
        harm()
        ended = self.now()
        self.history.losses.append(Loss(began=began, ended=ended))
        for witness in self.witnesses():
            self.wait(lambda witness=witness: witness.noticed_after(began) < inf)  # type: ignore[misc]  # a lambda with a default
            noticed = witness.noticed_after(began)
            took = self._without_waiting(witness, ended, noticed)
            self.verdict.alarm = max(self.verdict.alarm or 0.0, took)
            if took > 1.0:
                self.violate("noticed late", f"{witness.name} after {took:.3f} s")
        due = [
            (fact.kind.value, fact.id)
            for fact in self.history.facts.values()
            if fact.acked <= ended
        ]
        self.wait(lambda: self.missing(due) == [], within=10.0 + _PATIENCE)
        refilled = self.now()
        took = refilled - ended - self._metronome.late_between(ended, refilled)
        self.history.losses[-1] = replace(self.history.losses[-1], refilled=refilled)
        self.verdict.refill = max(self.verdict.refill or 0.0, took)
        if took > 10.0:
            self.violate("refilled late", f"after {took:.3f} s")

    def missing(self, due: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
        """Return which of these revocations the store does not have now."""

        async def look() -> set[tuple[str, str]]:
            store = open_store(self.target.url, issuer=ISSUER)
            try:
                snapshot = await store.snapshot()
            finally:
                await store.close()
            return {(entry.kind.value, entry.id or "") for entry in snapshot.entries}

        try:
            held = asyncio.run(look())
        except AnnulError:
            held = set()
        return [name for name in due if name not in held]

    # --- the end ----------------------------------------------------------------------

    def finish(self) -> Verdict:
        """Let everybody verify everything once more, and return what the judge finds.

        Everything has to be healed. A verifier that is started only now takes part as well.
        """
        latest = self.witness(self.add_verifier())
        # It has much to read, so how long that takes is no matter of recovery.
        self.wait(lambda: latest.began)
        for actor in self.authorities:
            self.history.quiet.pop(actor.name, None)
            actor.tell("quiet")
        self.wait(lambda: all(actor.name in self.history.quiet for actor in self.authorities))
        self.await_accepting(self.now())
        self.await_moment(self.history.latest + self.delta)
        self.await_accepting(self.now())
        audit = self.now()
        for actor in self.verifiers:
            actor.tell("audit")
        self.wait(lambda: all(witness.audits for witness in self.witnesses()))
        verdict, history = self.verdict, self.history
        for witness in self.witnesses():
            if witness.audits[-1][1] != len(history.tokens):
                self.violate("not everything verified", witness.name)
        facts = FactsByTarget(history)
        acked = [fact for fact in history.facts.values() if fact.acked < inf]
        lost = {(k, i) for k, i in self.missing([(fact.kind.value, fact.id) for fact in acked])}
        for witness in self.witnesses():
            for jti, (began, _) in witness.last.items():
                if began >= audit:
                    against = facts.against(history.tokens[jti])
                    lost |= {(f.kind.value, f.id) for f in against if f.acked < inf}
        found = [*self.violations, *judge(history, self.delta)]
        found += [Violation("revocation lost", audit, f"{kind} {name}") for kind, name in lost]
        verdict.acknowledged = history.acknowledged
        verdict.lost = len(lost)
        verdict.late = sum(violation.rule == "late acceptance" for violation in found)
        verdict.violations = found
        return verdict
