"""A store of three servers, one of which is the primary, with the misfortunes of such stores.

The primary carries out what it is told and passes it on in order. A write is acknowledged once
*all* servers have it, and a renewal is confirmed once a *majority* has it. Whoever reads sees what
the primary has, acknowledged or not. A copy that is cut off stands still, and may be promoted all
the same: then what was not acknowledged is lost. The old primary goes on serving those who do not
know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from annul.core.revocation import Watermark
from annul.stores.rules import epoch_after
from tests.simulation.store_model import Node, StoreModel, copy_of

if TYPE_CHECKING:
    from annul.stores.memory_log import State
    from tests.simulation.virtual_time import Machine, Process, World


class Copy:
    """A server that repeats what another one does, as long as it hears of it."""

    def __init__(self, leader: Node) -> None:
        self.leader = leader
        self.stands: State | None = None
        """Where it stands if it is cut off; otherwise it has all that its leader has."""

    @property
    def follows(self) -> bool:
        return self.stands is None

    def cut(self) -> None:
        if self.follows:
            self.stands = copy_of(self.leader.state)

    def follow(self, leader: Node) -> None:
        """Take over everything from this server, whatever it had itself."""
        self.leader, self.stands = leader, None

    def take(self) -> State:
        return copy_of(self.leader.state) if self.stands is None else self.stands


class ReplicatedModel(StoreModel):
    """Three servers, of which two are copies while nothing is wrong."""

    for_a_write = 3
    for_a_renewal = 2
    majority = 2

    def __init__(self, world: World, machine: Machine) -> None:
        super().__init__(world, machine)
        self.copies = [Copy(self.primary), Copy(self.primary)]
        self.former: list[Node] = []
        """Old primaries, which nobody has told yet."""
        self.behind: dict[Process, Node] = {}
        """Who talks to an old primary and does not know it."""

    def _reached_by(self, process: Process) -> Node:
        return self.behind.get(process, self.primary)

    def copies_of(self, node: Node) -> int:
        return 1 + sum(copy.follows and copy.leader is node for copy in self.copies)

    # --- misfortunes ------------------------------------------------------------------

    def promote(self, heir: Copy, *, behind: set[Process], rejoin: bool) -> None:
        """Let a copy take over; some do not hear of it.

        ``rejoin`` says whether the other copies follow it at once, or stay with the old primary.
        """
        state = heir.take()
        if state.identity is None:
            return
        self.copies.remove(heir)
        old, head = self.primary, state.head.position
        epoch = epoch_after(head, head, self.machine.wall())
        state.head = state.genesis = Watermark(epoch, 0, self.world.random.randbytes(16))
        state.pruned = 0
        self.former.append(old)
        for process in behind:
            self.behind.setdefault(process, old)
        self._take_over(state)
        if rejoin:
            self._all_follow()

    def reunite(self) -> None:
        """Let everybody know who the primary is: old ones become its copies."""
        self.behind = {}
        self.copies += [Copy(self.primary) for _ in self.former]
        self.former = []
        self._all_follow()

    def _all_follow(self) -> None:
        for copy in self.copies:
            copy.follow(self.primary)
