"""The store of a simulation: the real logic of the store in memory, with a server's misfortunes.

Here it is one server; ``replicated_model`` has one of several. What a safe store never does,
``roll_back`` and ``wipe`` do: they lose what was acknowledged.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from annul.core.denylist import Denylist
from annul.core.revocation import Kind
from annul.core.session import Rotated
from annul.errors import StoreUnavailable
from annul.stores.memory import MemoryStore
from annul.stores.memory_log import State
from annul.stores.rules import epoch_after

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from annul.core.revocation import Position, Revocation
    from annul.core.session import RotateOutcome
    from annul.stores.base import Draft, Renewal, StoredRing
    from tests.simulation.virtual_time import Machine, Process, World

T = TypeVar("T")


def at_once(verb: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine that waits for nothing comes to."""
    try:
        verb.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]  # what this coroutine returns
    raise AssertionError("a server waits for nobody")


def copy_of(state: State) -> State:
    """Return a state that shares nothing that changes with this one."""
    copy = State()
    copy.identity, copy.stored_ring = state.identity, state.stored_ring
    copy.log, copy.tags = list(state.log), dict(state.tags)
    copy.denylist = Denylist(state.denylist)
    copy.head, copy.genesis, copy.pruned, copy.time = (
        state.head,
        state.genesis,
        state.pruned,
        state.time,
    )
    copy.sessions, copy.families = dict(state.sessions), dict(state.families)
    copy.leases, copy.offers = dict(state.leases), dict(state.offers)
    return copy


class Node(MemoryStore):
    """One server: its state, and nobody else's."""

    def __init__(self, model: StoreModel, state: State | None = None) -> None:
        super().__init__("simulated", clock=model.machine.wall)
        self._model = model
        self._joined = State() if state is None else state

    @property
    def state(self) -> State:
        return self._open()

    def _append(self, draft: Draft) -> Revocation:
        known = draft.tag in self.state.tags
        entry = super()._append(draft)
        if not known:
            self._model.appended(self, entry)
        return entry

    def _ring_bells(self) -> None:
        self._model.ring(self)


@dataclass
class Loss:
    """When the store lost something, where its log had ended, and when it was told so.

    It is told by the first who has seen more of the log than there is. What is appended before
    that stands at places which were given out already: no store can know better.
    """

    at: float
    head: Position
    noticed: float = inf


class StoreModel:
    """The store: which server counts, and what has been in it from when to when.

    ``for_a_write`` is how many servers must have a write before it is acknowledged, and
    ``for_a_renewal`` how many must have a renewal.
    """

    node_type = Node
    for_a_write = 1
    for_a_renewal = 1
    majority = 1

    def __init__(self, world: World, machine: Machine) -> None:
        self.world = world
        self.machine = machine
        self.primary = self.node_type(self)
        self.down = False
        self.bells: dict[Callable[[], None], Node] = {}
        self.presence: dict[bytes, list[list[float]]] = {}
        self.ended: dict[str, set[bytes]] = {}
        """The entries about each session that a replay has ended."""
        self.confirmed: set[tuple[str, int]] = set()
        """The rotations that were confirmed, by session and the generation they came to."""
        self.wiped = False
        self.lost = False
        """Whether anything acknowledged may ever have been lost."""
        self.losses: list[Loss] = []
        self.backup: State | None = None

    # --- being asked ------------------------------------------------------------------

    def node_of(self, process: Process) -> Node:
        """Return the server that a process talks to."""
        if self.down:
            raise StoreUnavailable("nobody is listening")
        return self._reached_by(process)

    def _reached_by(self, _process: Process) -> Node:
        return self.primary

    def copies_of(self, _node: Node) -> int:
        """Return how many servers have all that this one was told, itself included."""
        return 1

    def waited(self, node: Node) -> int:
        """Return how many servers, as this one says, have what it has just been told."""
        return self.copies_of(node)

    def read(self, process: Process, verb: Callable[[Node], Coroutine[Any, Any, T]]) -> T:
        return at_once(verb(self.node_of(process)))

    def write(self, process: Process, verb: Callable[[Node], Coroutine[Any, Any, T]]) -> T:
        node = self.node_of(process)
        answer = at_once(verb(node))
        if self.waited(node) < self.for_a_write:
            raise StoreUnavailable("not all servers have it")
        return answer

    def rotate(
        self, process: Process, verb: Callable[[Node], Coroutine[Any, Any, RotateOutcome]]
    ) -> RotateOutcome:
        """Rotate, and note whether that is confirmed: if not, the predecessor stays good."""
        node = self.node_of(process)
        outcome = at_once(verb(node))
        confirmed = self.waited(node) >= self.for_a_write
        if isinstance(outcome, Rotated):
            session = replace(outcome.session, confirmed=confirmed)
            node.state.sessions[session.sid] = session
            if confirmed:
                self.confirmed.add((session.sid, session.generation))
        if not confirmed:
            raise StoreUnavailable("not all servers have it")
        return outcome

    def renew(
        self, process: Process, verb: Callable[[Node], Coroutine[Any, Any, Renewal | None]]
    ) -> tuple[Renewal | None, bool]:
        """Return what a renewal brings, and whether it is one by the contract."""
        node = self.node_of(process)
        answer = at_once(verb(node))
        if self.copies_of(node) < self.for_a_renewal:
            raise StoreUnavailable("no majority has it")
        return answer, self.copies_of(node) >= self.majority

    def swap_ring(self, process: Process, expected: int, ring: StoredRing) -> bool:
        """Swap the ring if that will be acknowledged: nobody sees one that is not."""
        node = self.node_of(process)
        if self.copies_of(node) < self.for_a_write:
            raise StoreUnavailable("not all servers would have it")
        return at_once(node.swap_ring(expected, ring))

    # --- what is in the log -----------------------------------------------------------

    def appended(self, node: Node, entry: Revocation) -> None:
        if node is not self.primary:
            return
        self.presence.setdefault(entry.tag, []).append([self.world.now, inf])
        if entry.kind is Kind.SESSION and entry.id is not None:
            self.ended.setdefault(entry.id, set()).add(entry.tag)

    def ring(self, node: Node) -> None:
        for bell, at in list(self.bells.items()):
            if at is node:
                bell()

    def hear(self, process: Process, seen: Position) -> None:
        """Take note of how far somebody who is asking for something has seen the log.

        Whoever has not heard of the last epochs cannot tell the store of them. As an epoch is at
        least the time of its beginning, that takes more than one loss a second.
        """
        head = self.node_of(process).state.head.position
        opened = head.epoch
        if seen > head:
            opened = epoch_after(head, seen, self.machine.wall())
        for loss in self.losses:
            if loss.noticed == inf and opened > loss.head.epoch:
                loss.noticed = self.world.now

    # --- misfortunes ------------------------------------------------------------------

    def stop(self) -> None:
        self.down = True

    def start(self) -> None:
        self.down = False

    def save(self) -> None:
        self.backup = copy_of(self.primary.state)

    def roll_back(self) -> None:
        """Go on from a backup, as if nothing had happened since. The keyring is kept apart."""
        if self.backup is None or self.backup.identity is None:
            return
        state = copy_of(self.backup)
        state.stored_ring = self.primary.state.stored_ring
        self._lose(state)

    def wipe(self) -> None:
        self.wiped = True
        self._lose(State())

    def _lose(self, state: State) -> None:
        self.lost = True
        self.losses.append(Loss(self.world.now, self.primary.state.head.position))
        self._take_over(state)

    def _take_over(self, state: State) -> None:
        self.primary = self.node_type(self, state)
        for tag, spans in self.presence.items():
            if spans[-1][1] == inf and tag not in state.tags:
                spans[-1][1] = self.world.now
