"""The judge of a history: the promises of annul, checked without any of its code.

Time is true time. Δ may take a little longer than Δ, because the clocks it is measured by may go a
little slower: see ``bound``. What an *unsafe* store has lost binds only who has known it: a
verifier that accepted anything has proven to know all that stood in the store a Δ before.
"""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import TYPE_CHECKING

from annul.core.revocation import Kind
from tests.simulation.checker_sessions import judge_sessions
from tests.simulation.covering import Covering, bound
from tests.simulation.history import FORGER
from tests.simulation.violation import Violation
from tests.simulation.virtual_time import WALL_BASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.simulation.cast import Stage
    from tests.simulation.history import Answer, Fact, Token, Watcher

_FAR_OFF = 170.0
"""By how much a clock that agrees with the store's to a minute may be wrong at most."""

_CAUSES = {
    "accepted",
    "starting",
    "store_unreachable",
    "store_empty",
    "clock_disagrees",
    "misconfigured",
    "forked",
    "closed",
    "revoked",
    "expired",
    "not_yet_valid",
    "unknown_key",
}


def judge(stage: Stage) -> list[Violation]:
    """Return what must not have happened."""
    covering = Covering(stage)
    knowledge = Knowledge(covering)
    return [
        *_judge_answers(stage, covering, knowledge),
        *_judge_ending(stage, covering),
        *_judge_store(stage, covering, knowledge),
        *judge_sessions(stage, covering),
        *(Violation("unexpected", 0, text) for text in stage.world.failures),
        *(Violation("unexpected", 0, text) for text in stage.history.unexpected),
    ]


class Knowledge:
    """Which revocations each replica has proven to know."""

    def __init__(self, covering: Covering) -> None:
        self._covering = covering
        self.of: dict[Watcher, dict[Fact, float]] = {}
        self._unknown: dict[Watcher, list[Fact]] = {}

    def learn(self, answer: Answer, facts: list[Fact]) -> dict[Fact, float]:
        """Note what an accepting replica must know, and return all that it must."""
        watcher = answer.watcher
        known = self.of.setdefault(watcher, {})
        unknown = self._unknown.setdefault(watcher, [f for f in facts if f.acked is not None])
        delta = bound(watcher.delta)
        left = []
        for fact in unknown:
            if (
                fact.acked is not None
                and fact.acked <= answer.ended
                and (
                    (watcher.beside and fact.by is watcher.process and fact.acked <= answer.began)
                    or self._covering.stood(fact, answer.ended - delta, answer.ended)
                )
            ):
                # It has been known since the window opened, which was before the look-ups; but
                # another verification may have been held up since before that.
                known[fact] = answer.began
            else:
                left.append(fact)
        self._unknown[watcher] = left
        return known


def _judge_answers(stage: Stage, covering: Covering, knowledge: Knowledge) -> Iterator[Violation]:
    for answer in sorted(stage.history.answers, key=lambda answer: answer.ended):
        token, watcher = answer.token, answer.watcher
        if answer.outcome not in _CAUSES:
            yield Violation("nameless refusal", answer.ended, answer.outcome)
        if answer.outcome == "revoked" and covering.is_good(token, answer.ended):
            yield Violation("good token refused", answer.ended, watcher.name)
        if answer.outcome != "accepted":
            continue
        known = knowledge.learn(answer, stage.history.facts)
        yield from _judge_acceptance(stage, covering, known, answer)
        if not _is_proven(answer):
            yield Violation("acceptance without proof", answer.ended, watcher.name)
        if abs(answer.off) > _FAR_OFF:
            yield Violation("accepted by a wrong clock", answer.ended, watcher.name)
        if answer.ended - (token.expires - WALL_BASE) > watcher.leeway + _FAR_OFF:
            yield Violation("expired token accepted", answer.ended, watcher.name)


def _judge_acceptance(
    stage: Stage, covering: Covering, known: dict[Fact, float], answer: Answer
) -> Iterator[Violation]:
    for fact in covering.about(answer.token):
        if not covering.must(fact, answer.token, answer.ended):
            continue
        if known.get(fact, inf) <= answer.began:
            yield Violation("late acceptance", answer.ended, _tell(fact, answer))
        elif (
            fact.fenced is not None
            and answer.began > fact.fenced
            and not any(fact.invoked <= loss.at <= answer.ended for loss in stage.model.losses)
        ):
            yield Violation("acceptance behind a fence", answer.ended, _tell(fact, answer))


def _tell(fact: Fact, answer: Answer) -> str:
    return (
        f"{answer.watcher.name} (delta {answer.watcher.delta:g}) accepted what {fact.kind} "
        f"{fact.name} refuses, acknowledged at {fact.acked:.4f}, fenced at {fact.fenced}"
    )


def _is_proven(answer: Answer) -> bool:
    since = answer.ended - bound(answer.watcher.delta)
    return any(
        started >= since and answered <= answer.ended
        for store in answer.watcher.stores
        for started, answered in reversed(store.proofs)
    )


def _judge_ending(stage: Stage, covering: Covering) -> Iterator[Violation]:
    for name, rows in stage.history.finals.items():
        for watcher, token, outcome in rows:
            if any(member.name == watcher and member.fixed for member in stage.members):
                continue
            # An issuer may be ahead of a verifier by as much as both may be wrong, and iat by less.
            if outcome in {"accepted", "not_yet_valid"} or not _is_good(stage, covering, token):
                continue
            # What a wipe takes for good: a rotation by an authority that was out of reach when
            # another one, which had not heard of it, gave the store its keyring back.
            if outcome == "unknown_key" and stage.model.wiped and not _is_published(stage, token):
                continue
            what = f"{watcher} says {outcome} to a token minted at {token.minted:.3f} ({name})"
            yield Violation("good token refused for ever", stage.world.now, what)


def _is_published(stage: Stage, token: Token) -> bool:
    ring = stage.model.primary.state.stored_ring
    return ring is not None and token.kid in ring.jwks


def _is_good(stage: Stage, covering: Covering, token: Token) -> bool:
    issued = token.expires - stage.access_ttl - WALL_BASE
    return (
        not token.forged
        and abs(issued - token.minted) < 50  # signed by a clock that was right
        and token.expires - WALL_BASE > stage.world.now + _FAR_OFF
        and covering.is_good(token, inf)
    )


def _judge_store(stage: Stage, covering: Covering, knowledge: Knowledge) -> Iterator[Violation]:
    state = stage.model.primary.state
    yield from _judge_log(stage, covering, knowledge)
    names = Counter(entry.actor for entry in state.log if entry.actor is not None)
    for name, count in names.items():
        if count > 1:
            yield Violation("appended twice", stage.world.now, name)
    if state.identity is None or state.identity.lineage != stage.lineage:
        yield Violation("lineage lost", stage.world.now, "")
    if FORGER in names:
        yield Violation("forged entry appended", stage.world.now, "")


def _judge_log(stage: Stage, covering: Covering, knowledge: Knowledge) -> Iterator[Violation]:
    model, history = stage.model, stage.history
    state = model.primary.state
    alive = {
        fact
        for watcher, known in knowledge.of.items()
        if not watcher.process.dead
        for fact, since in known.items()
        if since <= history.healed
    }
    # Of several about one target a replica keeps the one that stands last, so any of them will do.
    there = {(entry.kind, entry.id or "") for entry in state.log}
    for fact in history.facts:
        if fact.acked is None or fact.acked > history.healed or state.tags.keys() & fact.tags:
            continue
        if fact.kind is Kind.TOKEN and stage.access_ttl < 60:
            continue  # it may have been pruned by now
        kept = fact in alive and fact.proven and (fact.kind, fact.id) not in there
        if fact.kind in {Kind.BLOCK, Kind.UNBLOCK}:
            kept = kept and fact.kind is Kind.BLOCK and covering.lifted(fact) == inf
        if kept or not model.lost:
            yield Violation("revocation missing", stage.world.now, f"{fact.kind} {fact.name}")
