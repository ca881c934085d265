"""Who presents tokens: at random, and just when a verifier must have learnt of a revocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annul.core.revocation import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from random import Random

    from tests.simulation.cast import Member, Stage
    from tests.simulation.history import Fact, Token

_EVERY = 0.12
_GLANCE = 0.05


class Probes:
    """Presents tokens to every verifier until the world has healed."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.world = stage.world
        self.random: Random = stage.world.random
        self._aimed_at = 0
        self._waiting: list[Fact] = []

    def begin(self) -> None:
        for member in self.stage.members:
            self.world.after(self.random.random() * _EVERY, lambda member=member: self._any(member))
        self._aim()

    @property
    def _over(self) -> bool:
        return self.world.now > self.stage.history.healed + 1

    def _any(self, member: Member) -> None:
        if self._over:
            return
        tokens = self.stage.history.tokens
        if tokens:
            recent = self.random.random() < 0.7
            token = self.random.choice(tokens[-8:] if recent else tokens)
            member.verify(token, holds=2 if self.random.random() < 0.15 else 0)
        self.world.after(self.random.expovariate(1 / _EVERY), lambda: self._any(member))

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
        self.world.after(_GLANCE, self._aim)

    def _shoot(self, fact: Fact) -> None:
        tokens = [t for t in self.stage.history.tokens if about(fact, t)][-3:]
        if not tokens:
            return
        now = self.world.now
        for member in self.stage.members:
            times = [now, now + member.delta * self.random.random(), now + member.delta * 1.02]
            times.append(now + member.delta * 2)
            for time in times:
                token = self.random.choice(tokens)
                holds = 2 if self.random.random() < 0.3 else 0
                self.world.at(time, lambda m=member, t=token, h=holds: self._present(m, t, h))

    def _present(self, member: Member, token: Token, holds: int) -> None:
        if not self._over:
            member.verify(token, holds=holds)

    def wake(self) -> None:
        """Present some tokens to everybody: the child of a fork does nothing until it is asked."""
        for member in self.stage.members:
            for token in self.stage.history.tokens[-5:]:
                member.verify(token)

    def final(self, name: str, tokens: Iterable[Token]) -> None:
        """Present everything to everybody and keep what came of it."""
        rows = []
        for token in tokens:
            for member in self.stage.members:
                rows.append((member.name, token, member.verify(token)))
        self.stage.history.finals[name] = rows


def about(fact: Fact, token: Token) -> bool:
    """Whether a revocation may have to do with a token."""
    login = token.login
    match fact.kind:
        case Kind.TOKEN:
            return token.jti == fact.id
        case Kind.SESSION:
            return login.sid == fact.id
        case Kind.SUBJECT | Kind.BLOCK | Kind.UNBLOCK:
            return login.subject == fact.id
        case Kind.CLIENT:
            return login.client == fact.id
        case Kind.KEY:
            return token.kid == fact.id
    return True
