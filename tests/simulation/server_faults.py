"""What goes wrong between the servers of one store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from tests.simulation.replicated_model import Copy, ReplicatedModel
from tests.simulation.workload import Desk

if TYPE_CHECKING:
    from tests.simulation.cast import AuthorityMember, Member
    from tests.simulation.faults import Nemesis
    from tests.simulation.virtual_time import Process


class ServerFaults:
    """Cuts copies off and promotes them. Does nothing to a store of one server."""

    def __init__(self, nemesis: Nemesis) -> None:
        self.nemesis = nemesis
        self.stage = nemesis.stage
        self.world = nemesis.world
        self.random = nemesis.random
        self._plotting = False

    @property
    def _model(self) -> ReplicatedModel | None:
        model = self.stage.model
        return model if isinstance(model, ReplicatedModel) else None

    def heal(self) -> None:
        if self._model is not None:
            self._model.reunite()

    def split(self) -> None:
        """Cut one copy or both off for a while: nothing is acknowledged, or nobody stays fresh."""
        model = self._model
        if model is None or model.former:
            return
        for copy in self.random.choice((model.copies[:1], model.copies[1:], model.copies)):
            copy.cut()
        self.nemesis.until(self.nemesis.short(), lambda: self._join(model))

    def promote(self) -> None:
        """Cut a copy off and promote it, perhaps the other one too."""
        heir = self._cut_one()
        if heir is not None:
            behind = {m.process for m in self.stage.members if self.random.random() < 0.5}
            self.nemesis.until(
                self.random.choice((0.01, 0.1, 0.3, 1.5)), lambda: self._take_over(heir, behind)
            )

    def coup(self) -> None:
        """Promote a copy that has never heard of a verifier, which is cut off just then.

        Whoever revokes soon afterwards must not believe that all verifiers have told what they
        know: this one is missing from the lease table, and answers for a while yet.
        """
        member = max(self.stage.verifiers, key=lambda m: m.delta)
        if member.process.runs and not member.process.dead and not self._plotting:
            self._plotting = True
            for authority in self.stage.authorities:
                self._have(authority, "login", "eve", "late")
            member.leave()
            self.world.after(0.2, lambda: self._come_anew(member))

    def _come_anew(self, member: Member) -> None:
        heir = None if self.nemesis.over else self._cut_one()
        if not member.process.dead:
            member.die()
            member.start()
        if heir is None:
            self._plotting = False
            return

        def take_over() -> None:
            member.link.mute = True
            self.nemesis.until(member.delta + 1, lambda: self._over(member))
            self._promote(heir, behind=set(), rejoin=True)
            for authority in self.stage.authorities:
                soon = self.random.uniform(0.0, 1.5)
                self.world.after(soon, partial(self._have, authority, "revoke_and_wait"))

        self.nemesis.until(self.random.uniform(0.5, 1.5), take_over)

    def _over(self, member: Member) -> None:
        member.link.heal()
        self._plotting = False

    def _have(self, member: AuthorityMember, verb: str, *about: str) -> None:
        """Have somebody do one thing at an authority."""
        if not member.process.dead and not self.nemesis.over:
            member.process.start(Desk(self.stage, member).serve(verb, *about))

    def _cut_one(self) -> Copy | None:
        model = self._model
        if model is None or model.former or not all(copy.follows for copy in model.copies):
            return None
        heir = self.random.choice(model.copies)
        heir.cut()
        return heir

    def _take_over(self, heir: Copy, behind: set[Process]) -> None:
        self._promote(heir, behind=behind, rejoin=self.random.random() < 0.6)

    def _promote(self, heir: Copy, *, behind: set[Process], rejoin: bool) -> None:
        model = self._model
        if model is None or heir not in model.copies:
            return
        model.promote(heir, behind=behind, rejoin=rejoin)
        if self.nemesis.over:
            return
        if not rejoin and self.random.random() < 0.5 and model.copies:
            # Somebody else has seen to the primary's loss, too.
            other = model.copies[0]
            self.nemesis.until(
                self.random.uniform(0.01, 1.0), lambda: self._take_over(other, set())
            )
        else:
            self.nemesis.until(self.nemesis.short() if not rejoin else 0.1, model.reunite)

    def _join(self, model: ReplicatedModel) -> None:
        if not model.former:
            model.reunite()
