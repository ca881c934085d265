"""Planted bugs in what an acknowledgement takes where a store has several servers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from annul.core.session import decide
from annul.stores import memory
from tests.simulation.planted import bug, swap
from tests.simulation.replicated_model import ReplicatedModel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annul.core.session import RotateOutcome, Session
    from tests.simulation.store_model import Node
    from tests.simulation.virtual_time import World


@bug
def stale_primary_counts(_world: World) -> Iterator[None]:
    """A renewal that one server has is taken for a proof: it may be an old, cut-off primary."""
    with swap(ReplicatedModel, "for_a_renewal", 1):
        yield


@bug
def wait_for_one_of_two(_world: World) -> Iterator[None]:
    """A write is acknowledged when one of two copies has it, and the other one is promoted."""
    with swap(ReplicatedModel, "for_a_write", 2):
        yield


@bug
def wait_on_another_connection(_world: World) -> Iterator[None]:
    """The copies are asked for on a connection that has written nothing: they have all of that."""

    def all_of_them(_self: ReplicatedModel, _node: Node) -> int:
        return 3

    with swap(ReplicatedModel, "waited", all_of_them):
        yield


@bug
def outage_makes_a_thief(_world: World) -> Iterator[None]:
    """A rotation that was never confirmed is held against whoever tries again a while later."""

    def forgetful(session: Session, presented: int, **more: Any) -> RotateOutcome:  # noqa: ANN401 - as in the code
        return decide(replace(session, confirmed=True), presented, **more)

    with swap(memory, "decide", forgetful):
        yield
