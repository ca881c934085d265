"""The fence counts leases where it may, waits where it must, and removes those that are silent."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

import annul
from annul.authority.fence import Fence, has_applied, safe_after
from annul.core.revocation import Position, RevocationReceipt, Watermark
from annul.stores.base import Lease
from annul.stores.memory import MemoryStore
from annul.testing import NOW, FixedClock, sample_identity
from tests.children import Child
from tests.stage import ACCEPTED, Stage, outcome
from tests.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

HORIZON = 2.0
SAFE = safe_after(HORIZON)
ENTRY = Watermark(7, 5, b"t" * 16)
BEFORE = Watermark(7, 4, b"s" * 16)
RECEIPT = RevocationReceipt(epoch=ENTRY.epoch, seq=ENTRY.seq)


def lease(name: str, watermark: Watermark | None = ENTRY, **fields: object) -> Lease:
    made = Lease(id=name, label=name, watermark=watermark, max_staleness=HORIZON, beat=1)
    return replace(made, **fields)  # type: ignore[arg-type]  # its own fields


class Scene:
    """A store with leases in it, and a fence whose clock stands still until it is told."""

    def __init__(self, store: MemoryStore, *leases: Lease, listed_for: float = SAFE) -> None:
        self.store = store
        self.leases = leases
        self.listed_for = listed_for
        self.own_lease = next(((one.id, one.beat) for one in leases), ("none", 0))
        self.clock = FixedClock(1000.0)
        self.fence = Fence(
            store,
            listed_for=lambda: self.listed_for,
            own_lease=lambda: self.own_lease,
            clock=self.clock,
        )

    async def begin(self) -> None:
        await self.store.found(sample_identity(horizon=HORIZON), NOW)
        for each in self.leases:
            await self.store.renew(each)

    async def wait(self, *, began: float | None = None, timeout: float = 0.0) -> RevocationReceipt:
        """Wait for the entry. Without a time-out, only what need not wait returns."""
        began = self.clock() if began is None else began
        return await self.fence.wait(RECEIPT, began=began, timeout=timeout)

    async def left(self) -> set[str]:
        return {each.id for each in await self.store.leases()}

    def play(self, story: Callable[[], Coroutine[object, object, None]]) -> None:
        async def go() -> None:
            async with asyncio.timeout(10):
                await self.begin()
                await story()

        asyncio.run(go())


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    store = MemoryStore(uuid.uuid4().hex)
    yield store
    asyncio.run(store.close())


# --- when counting is enough ----------------------------------------------------------------


def test_when_every_lease_has_applied_it_nobody_waits(store: MemoryStore) -> None:
    beyond = Watermark(ENTRY.epoch + 1, 0, b"u" * 16)
    scene = Scene(store, lease("a"), lease("b"), lease("c", beyond))

    async def story() -> None:
        receipt = await scene.wait()
        assert (receipt.verifiers, receipt.laggards, receipt.waited_ms) == (3, (), 0.0)
        assert (receipt.epoch, receipt.seq) == ENTRY.position

    scene.play(story)


@pytest.mark.parametrize("listed_for", [0.0, HORIZON, SAFE - 0.001])
def test_a_table_that_is_too_young_is_not_counted(store: MemoryStore, listed_for: float) -> None:
    scene = Scene(store, lease("a"), listed_for=listed_for)

    async def story() -> None:
        with pytest.raises(annul.NotYetConfirmed) as raised:
            await scene.wait()
        assert raised.value.receipt.laggards == ()  # nobody that is known of lags

    scene.play(story)


@pytest.mark.parametrize("own", [("lost", 1), ("a", 2), ("a", 0)])
def test_a_table_without_the_own_lease_as_it_was_confirmed_is_another_one(
    store: MemoryStore, own: tuple[str, int]
) -> None:
    scene = Scene(store, lease("a"), lease("b"))
    scene.own_lease = own

    async def story() -> None:
        with pytest.raises(annul.NotYetConfirmed):
            await scene.wait()

    scene.play(story)


def test_the_table_must_have_been_whole_before_the_entry(store: MemoryStore) -> None:
    # It has been whole for long enough by now, and was not yet when the entry was appended.
    scene = Scene(store, lease("a"), listed_for=SAFE + 0.5)

    async def story() -> None:
        with pytest.raises(annul.NotYetConfirmed):
            await scene.wait(began=scene.clock() - 0.6)
        assert (await scene.wait(began=scene.clock() - 0.4)).verifiers == 1

    scene.play(story)


@pytest.mark.parametrize("behind", [None, BEFORE, Watermark(6, 900, b"r" * 16)], ids=repr)
def test_one_lease_that_lags_is_named_and_waited_for(
    store: MemoryStore, behind: Watermark | None
) -> None:
    scene = Scene(store, lease("a"), lease("slow", behind))

    async def story() -> None:
        with pytest.raises(annul.NotYetConfirmed) as raised:
            await scene.wait()
        receipt = raised.value.receipt
        assert (receipt.verifiers, receipt.laggards) == (1, ("slow",))
        assert (receipt.epoch, receipt.seq) == ENTRY.position

    scene.play(story)


def test_it_returns_as_soon_as_the_last_one_has_applied_it(store: MemoryStore) -> None:
    scene = Scene(store, lease("a"), lease("slow", BEFORE))

    async def story() -> None:
        waiting = asyncio.create_task(scene.wait(timeout=5.0))
        await asyncio.sleep(0)
        scene.clock.advance(0.5)
        scene.listed_for += 0.5
        await store.renew(lease("slow", beat=2))
        receipt = await waiting
        assert (receipt.verifiers, receipt.laggards) == (2, ())
        assert receipt.waited_ms <= 500

    scene.play(story)


@pytest.mark.parametrize("listed_for", [0.0, SAFE])
def test_after_the_horizon_nobody_has_to_be_asked(store: MemoryStore, listed_for: float) -> None:
    scene = Scene(store, lease("a"), lease("slow", BEFORE), listed_for=listed_for)

    async def story() -> None:
        waiting = asyncio.create_task(scene.wait(timeout=60.0))
        await asyncio.sleep(0)
        scene.clock.advance(SAFE - 0.01)
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        scene.clock.advance(0.02)
        receipt = await waiting
        assert (receipt.verifiers, receipt.laggards) == (1, ("slow",))
        assert receipt.waited_ms >= HORIZON * 1000

    scene.play(story)


def test_the_time_out_counts_by_the_same_clock(store: MemoryStore) -> None:
    scene = Scene(store, lease("slow", BEFORE))

    async def story() -> None:
        waiting = asyncio.create_task(scene.wait(timeout=1.0))
        await asyncio.sleep(0)
        scene.clock.advance(1.0)
        with pytest.raises(annul.NotYetConfirmed) as raised:
            await waiting
        assert raised.value.receipt.waited_ms == pytest.approx(1000.0)

    scene.play(story)


def test_a_store_that_was_emptied_meanwhile_confirms_nothing(store: MemoryStore) -> None:
    fence = Fence(store, listed_for=lambda: 1e9, own_lease=lambda: ("a", 1), clock=FixedClock(0.0))
    with pytest.raises(annul.StoreUnavailable):
        asyncio.run(fence.wait(RECEIPT, began=0.0, timeout=5.0))


def test_no_lease_at_all_has_applied_nothing() -> None:
    assert not has_applied(lease("a", None), Position(0, 0))
    assert has_applied(lease("a"), ENTRY.position)
    assert not has_applied(lease("a"), Position(ENTRY.epoch, ENTRY.seq + 1))
    assert not has_applied(lease("a"), Position(ENTRY.epoch + 1, 0))


# --- leases that fell silent ----------------------------------------------------------------


def test_a_silent_lease_is_removed_after_the_horizon_and_not_before(store: MemoryStore) -> None:
    scene = Scene(store, lease("silent"), lease("alive"))

    async def story() -> None:
        await scene.fence.sweep()
        for beat in range(2, 6):
            scene.clock.advance(SAFE / 4)
            await store.renew(lease("alive", beat=beat))
            await scene.fence.sweep()
            assert await scene.left() == {"silent", "alive"}
        scene.clock.advance(0.001)
        await scene.fence.sweep()
        assert await scene.left() == {"alive"}

    scene.play(story)


def test_what_counts_is_how_long_it_was_seen_unchanged(store: MemoryStore) -> None:
    scene = Scene(store, lease("a"))

    async def story() -> None:
        scene.clock.advance(1000.0)  # nobody was looking
        await scene.fence.sweep()
        assert await scene.left() == {"a"}
        scene.clock.advance(SAFE - 0.1)
        await store.renew(lease("a", beat=2))
        await scene.fence.sweep()
        scene.clock.advance(SAFE - 0.1)
        await scene.fence.sweep()
        assert await scene.left() == {"a"}

    scene.play(story)


def test_a_verifier_with_a_larger_delta_is_given_its_own_time(store: MemoryStore) -> None:
    scene = Scene(store, lease("patient", max_staleness=2 * HORIZON))

    async def story() -> None:
        await scene.fence.sweep()
        scene.clock.advance(safe_after(2 * HORIZON) - 0.1)
        await scene.fence.sweep()
        assert await scene.left() == {"patient"}
        scene.clock.advance(0.2)
        await scene.fence.sweep()
        assert await scene.left() == set()

    scene.play(story)


def test_one_that_is_renewed_between_the_look_and_the_removal_stays() -> None:
    class Racing(MemoryStore):
        """A store in which the lease is renewed right after somebody has looked."""

        beat = 1

        async def leases(self) -> tuple[Lease, ...]:
            found = await super().leases()
            if scene.clock() > 1000.0:
                self.beat += 1
                await self.renew(lease("a", beat=self.beat))
            return found

    racing = Racing(uuid.uuid4().hex)
    scene = Scene(racing, lease("a"))

    async def story() -> None:
        await scene.fence.sweep()
        scene.clock.advance(SAFE + 1)
        await scene.fence.sweep()
        assert await scene.left() == {"a"}
        await racing.close()

    scene.play(story)


def test_waiting_removes_what_has_been_silent_all_along(store: MemoryStore) -> None:
    scene = Scene(store, lease("a"), lease("silent", BEFORE))

    async def story() -> None:
        await scene.fence.sweep()
        waiting = asyncio.create_task(scene.wait(timeout=60.0))
        await asyncio.sleep(0)
        scene.clock.advance(SAFE + 0.1)
        await store.renew(lease("a", beat=2))
        assert (await waiting).laggards == ("silent",)
        assert await scene.left() == {"a"}

    scene.play(story)


# --- with real verifiers --------------------------------------------------------------------


def test_waiting_is_short_when_everybody_listens(shared_stage: Stage) -> None:
    delta = 1.0
    authority = shared_stage.authority(max_staleness=delta)
    replicas = [shared_stage.replica(max_staleness=delta) for _ in range(3)]
    grant = authority.login("alice", client_id="web")
    with Child("replica", shared_stage.url) as child:
        eventually(lambda: child.ask(grant.access_token) == ACCEPTED)
        eventually(lambda: authority.replica.listed_for > safe_after(delta))
        receipt = authority.revoke(annul.SubjectId("alice"), wait=True)
        assert child.ask(grant.access_token) != ACCEPTED
    for replica in replicas:
        assert outcome(replica.verify, grant.access_token) != ACCEPTED
    assert (receipt.verifiers, receipt.laggards) == (5, ())
    assert receipt.waited_ms < delta * 1000 / 2


def test_a_killed_verifier_holds_nobody_up_for_long(shared_stage: Stage) -> None:
    authority = shared_stage.authority()
    with Child("replica", shared_stage.url) as child:
        child.kill()
        assert len(shared_stage.ask(lambda store: store.leases())) == 2
        eventually(lambda: len(shared_stage.ask(lambda store: store.leases())) == 1)
    eventually(lambda: authority.replica.listed_for > safe_after(0.4))
    assert authority.revoke(annul.SubjectId("alice"), wait=True).laggards == ()


def test_two_sweeps_at_a_time_do_not_disturb_each_other() -> None:
    class Slow(MemoryStore):
        """A store that lets somebody else go first when it is asked to remove a lease."""

        async def expel(self, lease: Lease) -> None:
            await asyncio.sleep(0)
            await super().expel(lease)

    scene = Scene(Slow(uuid.uuid4().hex), lease("a"), lease("b"))

    async def story() -> None:
        await scene.begin()
        await scene.fence.sweep()
        scene.clock.advance(SAFE + 1)
        await asyncio.gather(scene.fence.sweep(), scene.fence.expel_silent((), HORIZON))
        assert await scene.left() == set()

    scene.play(story)
