"""The store of a simulation: the real logic of the store in memory, with a server's misfortunes.

The model speaks of replicated stores only as far as the contract does. A *stale primary* goes on
serving those who still reach it, and nothing it is told is confirmed. A *promotion* keeps every
acknowledged write, loses what was not acknowledged and perhaps leases, and opens a new epoch. What
a safe store never does, ``roll_back`` and ``wipe`` do: they lose what was acknowledged.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

from annul.core.denylist import Denylist
from annul.core.revocation import Kind, Watermark
from annul.errors import StoreUnavailable
from annul.stores.memory import MemoryStore
from annul.stores.memory_log import State
from annul.stores.rules import epoch_after

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from annul.core.revocation import Position, Revocation
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
    """All servers of one store, which of them counts, and what has been in it from when to when."""

    node_type = Node

    def __init__(self, world: World, machine: Machine) -> None:
        self.world = world
        self.machine = machine
        self.primary = self.node_type(self)
        self.stale: Node | None = None
        self.behind: set[Process] = set()
        """Who talks to the stale primary and does not know it."""
        self.down = False
        self.heir: State | None = None
        self.bells: dict[Callable[[], None], Node] = {}
        self.presence: dict[bytes, list[list[float]]] = {}
        self.ended: dict[str, set[bytes]] = {}
        """The entries about each session that a replay has ended."""
        self.wiped = False
        self.lost = False
        """Whether anything acknowledged may ever have been lost."""
        self.losses: list[Loss] = []
        self.backup: State | None = None

    # --- being asked ------------------------------------------------------------------

    def node_of(self, process: Process) -> Node:
        if self.down:
            raise StoreUnavailable("nobody is listening")
        if self.stale is not None and process in self.behind:
            return self.stale
        return self.primary

    def counts(self, node: Node) -> bool:
        """Whether a majority confirms what this server is told."""
        return node is self.primary and self.heir is None

    def confirms(self, node: Node) -> bool:
        """Whether this server says so to who has told it."""
        return self.counts(node)

    def read(self, process: Process, verb: Callable[[Node], Coroutine[Any, Any, T]]) -> T:
        return at_once(verb(self.node_of(process)))

    def write(self, process: Process, verb: Callable[[Node], Coroutine[Any, Any, T]]) -> T:
        node = self.node_of(process)
        answer = at_once(verb(node))
        if not self.confirms(node):
            raise StoreUnavailable("no majority has confirmed it")
        return answer

    def renew(
        self, process: Process, verb: Callable[[Node], Coroutine[Any, Any, Renewal | None]]
    ) -> tuple[Renewal | None, bool]:
        """Return what a renewal brings, and whether it is one by the contract."""
        node = self.node_of(process)
        return self.write(process, verb), self.counts(node)

    def swap_ring(self, process: Process, expected: int, ring: StoredRing) -> bool:
        """Swap the ring if that will be confirmed: nobody sees one that is not."""
        node = self.node_of(process)
        if not self.counts(node):
            raise StoreUnavailable("no majority would confirm it")
        return at_once(node.swap_ring(expected, ring))

    # --- what is in the log -----------------------------------------------------------

    def appended(self, node: Node, entry: Revocation) -> None:
        if node is not self.primary:
            return
        if self.heir is None:
            self.presence.setdefault(entry.tag, []).append([self.world.now, inf])
        if entry.kind is Kind.SESSION and entry.id is not None:
            self.ended.setdefault(entry.id, set()).add(entry.tag)

    def ring(self, node: Node) -> None:
        for bell, at in list(self.bells.items()):
            if at is node:
                bell()

    def hear(self, process: Process, seen: Position) -> None:
        """Take note of how far somebody who is asking for something has seen the log."""
        node = self.node_of(process)
        head = node.state.head.position
        for loss in self.losses:
            if loss.noticed == inf and (seen > head or head.epoch > loss.head.epoch):
                loss.noticed = self.world.now

    # --- misfortunes ------------------------------------------------------------------

    def stop(self) -> None:
        self.down = True

    def start(self) -> None:
        self.down = False

    def begin_promotion(self) -> None:
        """From here on the primary acknowledges nothing: another server is about to take over."""
        self.heir = copy_of(self.primary.state)

    def promote(self, *, keep: Callable[[], bool], behind: set[Process]) -> None:
        """Let the other server take over, whose lease table may lack some."""
        heir, self.heir = self.heir, None
        if heir is None or heir.identity is None:
            return
        heir.leases = {name: lease for name, lease in heir.leases.items() if keep()}
        epoch = epoch_after(heir.head.position, heir.head.position, self.machine.wall())
        heir.head = heir.genesis = Watermark(epoch, 0, self.world.random.randbytes(16))
        heir.pruned = 0
        self.stale, self.behind = self.primary, behind
        self._take_over(heir)

    def reunite(self) -> None:
        """Let everybody talk to the primary again."""
        self.stale = None
        self.behind = set()

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
