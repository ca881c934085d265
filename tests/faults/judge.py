"""The judge of what real processes have done, with no allowance for their clocks: it is one clock.

A verifier that accepts a token Δ after the revocation was acknowledged has broken the promise,
unless the store had lost the revocation before that verifier can have read it. Whether it can have
is judged by the same rule as in the simulation (``tests.simulation.checker.Knowledge``).
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, cast

from annul.core.revocation import Kind
from tests.simulation import history as simulated
from tests.simulation.checker import Knowledge
from tests.simulation.covering import Covering
from tests.simulation.violation import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.history import Fact, History, Token, Witness
    from tests.simulation.virtual_time import Process


def judge(history: History, delta: float) -> Iterator[Violation]:
    """Yield what must not have happened."""
    facts = FactsByTarget(history)
    leapt = history.leapt or any(witness.leaps for witness in history.witnesses.values())
    for witness in history.witnesses.values():
        yield from _late(history, facts, witness, delta)
        for jti, at in witness.again:
            yield Violation("accepted again", at, f"{witness.name} {jti}")
        for outcome, at in witness.strange + ([] if leapt else witness.by_clock):
            yield Violation("strange outcome", at, f"{witness.name} says {outcome}")
        for jti, at in witness.refused.items():
            token = history.tokens.get(jti)
            if token is not None and not any(
                fact.began <= at for fact in facts.about(token, strictly=not history.losses)
            ):
                yield Violation("good token refused", at, f"{witness.name} {jti}")


class FactsByTarget:
    """The revocations of a history, by what they are about."""

    def __init__(self, history: History) -> None:
        self._facts: dict[tuple[Kind, str], list[Fact]] = {}
        for fact in history.facts.values():
            self._facts.setdefault((fact.kind, fact.id), []).append(fact)

    def about(self, token: Token, *, strictly: bool = True) -> list[Fact]:
        """Return what may have to do with a token. A cut-off is about earlier logins only, but not
        strictly: one that is given back to a store that has lost it stands at a later place."""
        return [
            fact
            for kind, name in (
                (Kind.TOKEN, token.jti),
                (Kind.SESSION, token.sid),
                (Kind.SUBJECT, token.subject),
            )
            for fact in self._facts.get((kind, name), ())
            if not strictly or kind is not Kind.SUBJECT or token.began <= fact.acked
        ]

    def against(self, token: Token) -> list[Fact]:
        """Return what surely refuses a token once it is known."""
        return [
            fact
            for fact in self.about(token)
            if fact.kind is not Kind.SUBJECT or token.ended <= fact.began
        ]


def _late(
    history: History, facts: FactsByTarget, witness: Witness, delta: float
) -> Iterator[Violation]:
    for jti, (began, ended) in witness.last.items():
        token = history.tokens.get(jti)
        for fact in facts.against(token) if token is not None else ():
            if began > fact.acked + delta and not _was_never_there(
                history, fact, witness, delta, (began, ended)
            ):
                after = began - fact.acked
                what = f"{witness.name} accepted {fact.kind} {fact.id} {after:.3f} s later"
                yield Violation("late acceptance", began, what)


def _was_never_there(
    history: History, fact: Fact, witness: Witness, delta: float, last: tuple[float, float]
) -> bool:
    """Whether the store had lost it before this verifier can have read it."""
    if not any(loss.ended >= fact.began for loss in history.losses):
        return False
    knowledge = Knowledge(Recorded(history, fact))
    watcher = simulated.Watcher(witness.name, cast("Process", object()), delta, leeway=0.0)
    about = simulated.Fact(
        fact.kind, fact.id, cast("Process", object()), fact.began, fact.id, fact.acked
    )
    known: dict[simulated.Fact, float] = {}
    for began, ended in zip(witness.began, witness.ended, strict=True):
        if ended >= fact.acked and began <= last[0]:
            token = cast("simulated.Token", None)
            answer = simulated.Answer(watcher, token, began, ended, "accepted", 0.0)
            known = knowledge.learn(answer, [about])
    return about not in known


class Recorded(Covering):
    """When the store has had one revocation, as far as anybody outside can be sure of it."""

    def __init__(self, history: History, fact: Fact) -> None:
        self._present: list[tuple[float, float]] = []
        since = fact.acked
        for loss in history.losses:
            # A call that was going on at that moment may have been confirmed before it.
            if fact.began <= loss.ended:
                if since < loss.began:
                    self._present.append((since, loss.began))
                since = max(fact.acked, loss.refilled)
        self._present.append((since, inf))

    def spans(self, _fact: simulated.Fact) -> list[tuple[float, float]]:
        return self._present
