"""Who presents tokens: at random, and just when a verifier must have learnt of a revocation."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from annul.core.revocation import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from tests.simulation.cast import Member, Stage
    from tests.simulation.history import Fact, Token

_EVERY = 0.16
_GLANCE = 0.05


class Probes:
    """Presents tokens to every verifier until the world has healed."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.world = stage.world
        self.random: Random = stage.world.random
        self._aimed_at = 0
        self._refused: list[Token] = []
        stage.on_fact = self._meet
        self._waiting: list[Fact] = []

    def begin(self) -> None:
        for member in self.stage.members:
            self.world.after(self.random.random() * _EVERY, partial(self._any, member))
        self._aim()

    @property
    def _over(self) -> bool:
        return self.world.now > self.stage.history.healed + 1

    def _any(self, member: Member) -> None:
        if self._over:
            return
        tokens = self.stage.history.tokens
        runs = member.process.runs
        if tokens and runs:
            some = self.random.choice((tokens, tokens[-8:], tokens[-8:], self._refused[-12:]))
            token = self.random.choice(some or tokens)
            member.verify(token, holds=2 if self.random.random() < 0.15 else 0)
        pause = self.random.expovariate(1 / _EVERY) if runs else 0.5
        self.world.after(pause, partial(self._any, member))

    def _meet(self, fact: Fact) -> None:
        """Present what is just about to be revoked, and be held up while it is."""
        tokens = [t for t in self.stage.history.tokens[-20:] if about(fact, t)]
        if tokens and not self._over:
            for member in self.stage.members:
                token = self.random.choice(tokens)
                self.world.at(self.world.now, partial(self._present, member, token, holds=3))

    def _aim(self) -> None:
        """Look for what has been acknowledged, and present what it covers when it must be known."""
        if self._over:
            return
        facts = self.stage.history.facts
        self._waiting += facts[self._aimed_at :]
        self._aimed_at = len(facts)
        still: list[Fact] = []
        for fact in self._waiting:
            if fact.acked is None:
                still.append(fact)
            else:
                self._shoot(fact)
        self._waiting = still[-20:]
        awake = any(member.process.runs for member in self.stage.members)
        self.world.after(_GLANCE if awake else 1.0, self._aim)

    def _shoot(self, fact: Fact) -> None:
        tokens = [t for t in self.stage.history.tokens if about(fact, t)][-3:]
        if not tokens:
            return
        self._refused += tokens
        now = self.world.now
        for member in self.stage.members:
            times = [now, now + member.delta * self.random.random(), now + member.delta * 1.02]
            times.append(now + member.delta * 2)
            for time in times:
                token = self.random.choice(tokens)
                holds = 2 if self.random.random() < 0.3 else 0
                self.world.at(time, partial(self._present, member, token, holds=holds))

    def _present(self, member: Member, token: Token, *, holds: int) -> None:
        if not self._over:
            member.verify(token, holds=holds)

    def wake(self) -> None:
        """See that everybody follows: the child of a fork does nothing until it is asked."""
        for member in self.stage.members:
            member.wake()

    def final(self, name: str, tokens: Iterable[Token]) -> None:
        """Present everything to everybody and keep what came of it."""
        self.stage.history.finals[name] = [
            (member.name, token, member.verify(token))
            for token in tokens
            for member in self.stage.members
        ]


def about(fact: Fact, token: Token) -> bool:
    """Whether a revocation may have to do with a token."""
    if token.forged and fact.kind is not Kind.KEY:
        return False  # whoever has the key writes what he likes, so only the key helps
    login = token.login
    named = {
        Kind.TOKEN: token.jti,
        Kind.SESSION: login.sid,
        Kind.CLIENT: login.client,
        Kind.KEY: token.kid,
        Kind.ISSUER: "",
    }
    return named.get(fact.kind, login.subject) == fact.id
