"""Epochs: a store that has lost entries opens a new one before it gives out a position."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from annul.core.revocation import Kind, Position
from annul.core.session import Rotated
from annul.stores.base import Began, Lease
from annul.testing.samples import NOW, sample_draft, sample_session
from annul.testing.store_contract.bench import scenario

if TYPE_CHECKING:
    from annul.testing.store_contract.bench import Bench

_LOST = 7
"""How many entries beyond the head somebody has seen."""


class Epochs:
    """What becomes of a head that is behind what somebody has seen."""

    @scenario
    async def test_a_head_that_nobody_has_seen_beyond_stays_in_its_epoch(
        self, bench: Bench
    ) -> None:
        head = await bench.revoke(Kind.TOKEN, "one")

        appended = await bench.store.append([sample_draft(Kind.TOKEN, "two")], floor=head.position)

        assert appended.entries[0].position == (head.position.epoch, head.position.seq + 1)

    @scenario
    async def test_an_entry_after_a_loss_is_beyond_everything_seen(self, bench: Bench) -> None:
        left = await bench.revoke(Kind.SUBJECT, "alice")
        floor = Position(left.position.epoch, left.position.seq + _LOST)

        appended = await bench.store.append(
            [sample_draft(Kind.SUBJECT, "bob"), sample_draft(Kind.SUBJECT, "carol")], floor=floor
        )

        first, second = appended.entries
        assert first.position > floor
        assert first.position.epoch > floor.epoch
        assert (first.position.seq, second.position.seq) == (1, 2)
        assert await bench.log() == (left, first, second)
        assert (await bench.store.snapshot()).watermark == second.watermark

    @scenario
    async def test_a_session_after_a_loss_begins_beyond_everything_seen(self, bench: Bench) -> None:
        left = await bench.revoke(Kind.SUBJECT, "alice")
        floor = Position(left.position.epoch, left.position.seq + _LOST)

        outcome = await bench.store.begin(sample_session(), floor=floor)

        assert isinstance(outcome, Began)
        assert outcome.session.since > floor
        assert outcome.session.since == (await bench.store.snapshot()).watermark.position

    @scenario
    async def test_a_rotation_after_a_loss_is_one_too(self, bench: Bench) -> None:
        session = await bench.begin()
        head = (await bench.store.snapshot()).watermark
        floor = Position(head.epoch, head.seq + _LOST)

        outcome = await bench.present(session, 0, floor=floor)

        assert isinstance(outcome, Rotated)
        assert outcome.session.since == session.since
        assert (await bench.store.snapshot()).watermark.position > floor

    @pytest.mark.parametrize("verb", ["append", "begin"])
    @scenario
    async def test_what_a_lease_has_seen_counts_as_well(self, bench: Bench, verb: str) -> None:
        left = await bench.revoke(Kind.SUBJECT, "alice")
        seen = Position(left.position.epoch, left.position.seq + _LOST)
        other = bench.open()
        await other.renew(Lease(id="a", watermark=None, max_staleness=2.0, highest=seen))
        await other.renew(Lease(id="b", watermark=None, max_staleness=2.0, highest=left.position))

        if verb == "append":
            await bench.revoke(Kind.SUBJECT, "bob")
        else:
            await bench.begin()

        head = (await bench.store.snapshot()).watermark
        assert head.position > seen
        assert head.epoch > seen.epoch

    @pytest.mark.parametrize("how", ["release", "expel"])
    @scenario
    async def test_a_lease_that_is_given_up_does_not_take_its_proof_of_a_loss_away(
        self, bench: Bench, how: str
    ) -> None:
        entry = await bench.revoke(Kind.TOKEN, "a")
        lost = Position(entry.position.epoch, entry.position.seq + 3)
        lease = Lease(id="one", watermark=None, max_staleness=2.0, beat=1, highest=lost)
        await bench.store.renew(lease)

        if how == "release":
            await bench.store.release("one")
        else:
            await bench.store.expel(lease)
        after = await bench.revoke(Kind.TOKEN, "b")

        assert after.position > lost
        assert after.position.epoch > entry.position.epoch
        # It has been told now, so it need not stay.
        await bench.store.expel(lease)
        assert await bench.store.leases() == ()

    @scenario
    async def test_a_renewal_opens_no_epoch_by_itself(self, bench: Bench) -> None:
        before = (await bench.store.snapshot()).watermark
        seen = Position(before.epoch, before.seq + _LOST)

        renewal = await bench.store.renew(
            Lease(id="a", watermark=None, max_staleness=2.0, highest=seen)
        )

        assert renewal is not None
        assert renewal.head == before

    @scenario
    async def test_an_epoch_of_the_far_future_was_never_opened(self, bench: Bench) -> None:
        head = await bench.revoke(Kind.TOKEN, "one")
        lie = Position(int(NOW) * 1000, 1)

        appended = await bench.store.append([sample_draft(Kind.TOKEN, "two")], floor=lie)

        assert appended.entries[0].position.epoch == head.position.epoch

    @scenario
    async def test_a_lower_epoch_is_behind_whatever_its_number(self, bench: Bench) -> None:
        left = await bench.revoke(Kind.TOKEN, "one")
        floor = Position(left.position.epoch + 3, 0)

        appended = await bench.store.append([sample_draft(Kind.TOKEN, "two")], floor=floor)

        assert appended.entries[0].position > floor

    @scenario
    async def test_a_reader_of_the_old_epoch_goes_on_from_what_is_left(self, bench: Bench) -> None:
        left = await bench.revoke(Kind.TOKEN, "one")
        floor = Position(left.position.epoch, left.position.seq + _LOST)
        appended = await bench.store.append([sample_draft(Kind.TOKEN, "two")], floor=floor)

        assert await bench.store.changes(left.watermark) == appended.entries

    @scenario
    async def test_pruning_goes_on_in_a_new_epoch(self, bench: Bench) -> None:
        soon = int(NOW) + 100
        for name in ("one", "two", "three"):
            left = await bench.revoke(Kind.TOKEN, name, expires_at=soon)
        floor = Position(left.position.epoch, left.position.seq + _LOST)
        draft = sample_draft(Kind.TOKEN, "four", expires_at=soon)
        (first,) = (await bench.store.append([draft], floor=floor)).entries
        second = await bench.revoke(Kind.TOKEN, "five")

        assert await bench.store.changes(first.watermark) == (second,)
        assert await bench.store.prune(soon + 1) == 4
        assert await bench.log() == (second,)
