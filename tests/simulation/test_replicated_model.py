"""The simulated store of three servers: what is acknowledged, what is confirmed, what is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from annul.errors import StoreUnavailable
from annul.stores.base import Identity, Lease
from tests.simulation.edges import edges
from tests.simulation.replicated_model import ReplicatedModel
from tests.simulation.virtual_time import Machine, Process, World

if TYPE_CHECKING:
    from collections.abc import Iterator

IDENTITY = Identity(
    issuer="https://auth.example",
    lineage="lineage",
    horizon=3.0,
    longest_token=900,
    longest_session=86_400,
)
LEASE = Lease(id="one", watermark=None, max_staleness=3.0, beat=1)


@pytest.fixture
def world() -> Iterator[World]:
    world = World(1)
    with edges(world):
        yield world
    world.close()


@pytest.fixture
def process(world: World) -> Process:
    return Process(world, Machine(world), "one")


@pytest.fixture
def model(world: World, process: Process) -> ReplicatedModel:
    model = ReplicatedModel(world, Machine(world))
    model.write(process, lambda node: node.found(IDENTITY, 0.0))
    return model


def renew(model: ReplicatedModel, process: Process) -> bool:
    """Renew a lease; return whether that was a proof."""
    return model.renew(process, lambda node: node.renew(LEASE))[1]


def release(model: ReplicatedModel, process: Process) -> None:
    model.write(process, lambda node: node.release(LEASE.id))


def test_a_write_needs_all_servers_and_a_renewal_most_of_them(
    model: ReplicatedModel, process: Process
) -> None:
    release(model, process)
    model.copies[0].cut()
    assert renew(model, process)
    with pytest.raises(StoreUnavailable):
        release(model, process)
    model.copies[1].cut()
    with pytest.raises(StoreUnavailable):
        renew(model, process)


def test_a_copy_that_is_promoted_lacks_what_came_after_it_was_cut_off(
    model: ReplicatedModel, process: Process
) -> None:
    heir = model.copies[0]
    heir.cut()
    renew(model, process)
    before = model.primary.state
    model.promote(heir, behind=set(), rejoin=True)
    after = model.primary.state
    assert set(before.leases) == {LEASE.id}
    assert after.leases == {}
    assert after.head.epoch > before.head.epoch
    assert not model.lost


def test_an_old_primary_that_has_lost_its_copies_confirms_nothing(
    model: ReplicatedModel, process: Process
) -> None:
    old = model.primary
    model.promote(model.copies[0], behind={process}, rejoin=True)
    assert model.node_of(process) is old
    with pytest.raises(StoreUnavailable):
        renew(model, process)
    with pytest.raises(StoreUnavailable):
        release(model, process)
    model.reunite()
    assert model.node_of(process) is model.primary
    assert renew(model, process)
    release(model, process)


def test_an_old_primary_with_a_copy_confirms_renewals_while_the_new_one_confirms_nothing(
    model: ReplicatedModel, process: Process
) -> None:
    other = Process(model.world, Machine(model.world), "other")
    model.promote(model.copies[0], behind={process}, rejoin=False)
    assert renew(model, process)
    for asking in (process, other):
        with pytest.raises(StoreUnavailable):
            release(model, asking)
    with pytest.raises(StoreUnavailable):
        renew(model, other)
