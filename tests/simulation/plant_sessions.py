"""Planted bugs in sessions, refresh tokens, recovery, and what an authority knows of itself."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from annul.authority.recovery import Recovery
from annul.core.denylist import Denylist
from annul.core.revocation import Reason, Revocation
from annul.core.session import Replayed, Retried, Rotated, Session, decide
from annul.door_revocation import RevocationVerbs
from annul.replica import Replica
from annul.stores import memory
from tests.simulation.planted import bug, swap
from tests.simulation.store_model import Node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annul.core.session import RotateOutcome
    from annul.stores.base import Draft
    from tests.simulation.virtual_time import World


@bug
def session_ended_by_a_flag(_world: World) -> Iterator[None]:
    """A revocation marks the sessions that there are, instead of being asked again."""
    append, covering = Node._append, Node._covering
    marked: dict[str, Revocation] = {}

    def mark(self: Node, draft: Draft) -> Revocation:
        entry = append(self, draft)
        for session in self.state.sessions.values():
            hit = covering(self, session)
            if hit is not None:
                marked.setdefault(session.sid, hit)
        return entry

    def flagged(_self: Node, session: Session) -> Revocation | None:
        return marked.get(session.sid)

    with swap(Node, "_append", mark), swap(Node, "_covering", flagged):
        yield


def _deciding(change: Any) -> Any:  # noqa: ANN401 - a patch
    return swap(memory, "decide", change)


@bug
def refresh_of_what_was_revoked(_world: World) -> Iterator[None]:
    """A refresh does not look whether the session has been ended (CVE-2020-10594)."""

    def blind(session: Session, presented: int, **more: Any) -> RotateOutcome:  # noqa: ANN401 - as in the code
        return decide(session, presented, **(more | {"covered_by": None}))

    with _deciding(blind):
        yield


@bug
def retry_gets_a_sibling(_world: World) -> Iterator[None]:
    """A refresh that is tried again gets a successor of its own."""

    def sibling(session: Session, presented: int, **more: Any) -> RotateOutcome:  # noqa: ANN401 - as in the code
        outcome = decide(session, presented, **more)
        if isinstance(outcome, Retried):
            return Rotated(replace(session, generation=session.generation + 1))
        return outcome

    with _deciding(sibling):
        yield


@bug
def old_refresh_token_is_a_retry(_world: World) -> Iterator[None]:
    """Any refresh token of the session is as good as its last one."""

    def lenient(session: Session, presented: int, **more: Any) -> RotateOutcome:  # noqa: ANN401 - as in the code
        outcome = decide(session, presented, **more)
        return Retried(session) if isinstance(outcome, Replayed) else outcome

    with _deciding(lenient):
        yield


@bug
def handle_ahead_is_a_replay(_world: World) -> Iterator[None]:
    """When the store has lost a rotation, its honest owner is taken for a thief."""

    def harsh(session: Session, presented: int, **more: Any) -> RotateOutcome:  # noqa: ANN401 - as in the code
        outcome = decide(session, presented, **more)
        if isinstance(outcome, Rotated) and outcome.store_lost_data:
            return Replayed(session)
        return outcome

    with _deciding(harsh):
        yield


@bug
def replay_ends_nothing(_world: World) -> Iterator[None]:
    """A used-up refresh token is refused, and the session of the thief goes on."""
    append = Node._append

    def skip(self: Node, draft: Draft) -> Revocation:
        if draft.reason is not Reason.REFRESH_REUSE:
            return append(self, draft)
        state = self.state
        kept = (state.head, list(state.log), dict(state.tags), state.denylist)
        state.denylist = Denylist(state.denylist)
        presence = self._model.presence
        entry = append(self, draft)
        state.head, state.log, state.tags, state.denylist = kept
        presence.pop(entry.tag, None)
        self._model.ended.pop(draft.id or "", None)
        return entry

    async def nothing(_self: RevocationVerbs, _session: Session) -> None:
        pass

    with swap(Node, "_append", skip), swap(RevocationVerbs, "_end_again", nothing):
        yield


# --- recovery, and the authority's own replica --------------------------------------------------


@bug
def unproven_offers_taken(_world: World) -> Iterator[None]:
    """Whoever may read the log can revoke, by offering what nobody has decided."""

    def believe(_self: Recovery, _entry: Revocation) -> bool:
        return True

    with swap(Recovery, "_is_genuine", believe):
        yield


@bug
def offers_not_taken(_world: World) -> Iterator[None]:
    """What replicas give back is thrown away."""

    async def throw_away(self: Recovery, offers: tuple[Revocation, ...]) -> None:
        await self._store.settle(offers)

    with swap(Recovery, "_take", throw_away):
        yield


@bug
def founded_as_another(world: World) -> Iterator[None]:
    """An empty store is founded as a new one by an authority that knows what it was."""
    step = Recovery.step

    async def anew(self: Recovery) -> int:
        if await self._store.identity() is None:
            self._identity = replace(self._identity, lineage=world.here.entropy(12).hex())
        return await step(self)

    with swap(Recovery, "step", anew):
        yield


@bug
def own_writes_not_observed(_world: World) -> Iterator[None]:
    """An authority goes on accepting what it has just revoked, until it reads it in the log."""

    def forget(_self: Replica, _entries: object) -> None:
        pass

    with swap(Replica, "observe", forget):
        yield


@bug
def only_standing_sessions_end(_world: World) -> Iterator[None]:
    """A login is not asked whether a block stands against its subject."""
    covering = Node._covering

    def unasked(self: Node, session: Session) -> Revocation | None:
        if session.sid not in self.state.sessions:
            return None
        return covering(self, session)

    with swap(Node, "_covering", unasked):
        yield
