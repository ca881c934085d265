"""What a revocation covers, by what its callers have seen of it: who returned before who called.

Positions, clocks and everything else that annul decides by take no part. Where two calls overlap,
either order is right: ``must`` says what is covered in both, ``may`` what is in one.
"""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from annul.core.revocation import Kind
from tests.simulation.probes import about

if TYPE_CHECKING:
    from tests.simulation.cast import Stage
    from tests.simulation.history import Fact, Login, Token

DRIFT = 1.0006
"""How much longer a second may take by one machine's clocks than by another's."""

SLACK = 0.002

_CUTOFFS = (Kind.SUBJECT, Kind.CLIENT, Kind.ISSUER)
_OF_SESSIONS = (Kind.SESSION, Kind.BLOCK, *_CUTOFFS)


def bound(delta: float) -> float:
    """Return the longest true time that Δ may take."""
    return delta * DRIFT + SLACK


class Covering:
    """The revocations of one history, by what they cover."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._model = stage.model
        self._facts = stage.history.facts
        self._unblocks = [fact for fact in self._facts if fact.kind is Kind.UNBLOCK]
        self._about: dict[Token, list[Fact]] = {}
        self._spans: dict[Fact, list[tuple[float, float]]] = {}
        self._lifted: dict[Fact, float] = {}

    def about(self, token: Token) -> list[Fact]:
        """Return the revocations that may have to do with a token."""
        found = self._about.get(token)
        if found is None:
            found = self._about[token] = [
                fact for fact in self._facts if fact.kind is not Kind.UNBLOCK and about(fact, token)
            ]
        return found

    def spans(self, fact: Fact) -> list[tuple[float, float]]:
        """Return from when until when it has to be honoured.

        What was acknowledged is there from then on; only an unsafe store may have lost it.
        """
        found = self._spans.get(fact)
        if found is None and not self._model.lost:
            found = self._spans[fact] = [] if fact.acked is None else [(fact.acked, inf)]
        if found is None:
            presence = self._model.presence
            found = self._spans[fact] = [
                (max(begin, fact.acked), end)
                for tag in sorted(fact.tags)
                for begin, end in presence.get(tag, ())
                if fact.acked is not None and end > fact.acked
            ]
        return found

    def stood(self, fact: Fact, begin: float, end: float) -> bool:
        """Whether it was acknowledged and in the store all the time from ``begin`` to ``end``."""
        return any(first <= begin and end <= last for first, last in self.spans(fact))

    def lifted(self, block: Fact) -> float:
        """Return from when on a block may have been lifted."""
        found = self._lifted.get(block)
        if found is None:
            found = self._lifted[block] = min(
                (
                    unblock.invoked
                    for unblock in self._unblocks
                    if unblock.id == block.id
                    and (unblock.returned is None or unblock.returned >= block.invoked)
                ),
                default=inf,
            )
        return found

    def must(self, fact: Fact, token: Token, moment: float) -> bool:
        """Whether the token must be refused at this moment by who knows of the revocation."""
        if fact.kind in _CUTOFFS:
            return token.login.returned <= fact.invoked and self._is_after(fact, token.login)
        if fact.kind is Kind.BLOCK:
            return moment <= self.lifted(fact)
        return True

    def must_end(self, fact: Fact, login: Login, begin: float, end: float) -> bool:
        """Whether the session must have been over all the time from ``begin`` to ``end``."""
        if fact.kind not in _OF_SESSIONS or not self.stood(fact, begin, end):
            return False
        match fact.kind:
            case Kind.SESSION:
                return fact.id == login.sid
            case Kind.BLOCK:
                return fact.id == login.subject and end <= self.lifted(fact)
            case Kind.SUBJECT:
                same = fact.id == login.subject
            case Kind.CLIENT:
                same = fact.id == login.client
            case _:
                same = True
        return same and login.returned <= fact.invoked and self._is_after(fact, login)

    def _is_after(self, fact: Fact, login: Login) -> bool:
        """Whether the store could know that a session was there before the cut-off."""
        begins = [begin for tag in fact.tags for begin, _ in self._model.presence.get(tag, ())]
        return not any(
            login.invoked <= loss.at <= begin < loss.noticed
            for loss in self._model.losses
            for begin in begins
        )

    def is_good(self, token: Token, moment: float) -> bool:
        """Whether nothing whatever may rightly refuse the token at this moment."""
        # A used-up refresh token may have ended the session although nobody was told.
        return not any(
            use.invoked <= moment and use.outcome in {"pending", "store_unavailable"}
            for use in token.login.used
        ) and not any(self.may(fact, token, moment) for fact in self.about(token))

    def may(self, fact: Fact, token: Token, moment: float) -> bool:
        """Whether the token may rightly be refused at this moment, or in the end (infinity)."""
        if fact.invoked > moment:
            return False
        if fact.kind in _CUTOFFS:
            # One that is given back to a store stands at a later place.
            ended = inf if self._model.lost or fact.returned is None else fact.returned
            return token.login.invoked <= ended
        if fact.kind is Kind.BLOCK:
            # A verifier that is not fresh may go on refusing what it knows.
            return self._model.lost or moment < inf or not self._surely_lifted(fact)
        return True

    def _surely_lifted(self, block: Fact) -> bool:
        return block.returned is not None and any(
            unblock.id == block.id
            and unblock.invoked >= block.returned
            and unblock.acked is not None
            for unblock in self._unblocks
        )
