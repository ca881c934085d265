"""How long the lease table has been whole, told by the beats that renewals replace."""

from __future__ import annotations

import pytest

from annul.core.revocation import Watermark
from annul.replica.freshness import Moment
from annul.replica.listing import Listing
from annul.stores.base import Renewal

EPOCH = 1_700_000_000


class Table:
    """One lease in a table that does what it is told, and both clocks beside it."""

    def __init__(self) -> None:
        self.listing = Listing()
        self.stands: int | None = None
        self.epoch = EPOCH
        self.monotonic = self.wall = 100.0

    @property
    def now(self) -> Moment:
        return Moment(self.monotonic, self.wall)

    @property
    def whole_for(self) -> float:
        return self.listing.whole_for(self.now)

    def pass_time(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds

    def write(self) -> Renewal:
        """Renew, without the answer reaching anybody yet."""
        beat = self.listing.next_beat()
        previous, self.stands = self.stands, beat
        return Renewal(
            head=Watermark(self.epoch, 1, b"t"),
            store_time=self.wall,
            keys_version=1,
            horizon=2.0,
            lineage="l",
            previous=previous,
        )

    def renew(self) -> None:
        self.listing.renewed(self.write(), self.now)


@pytest.fixture
def table() -> Table:
    """A table in which the lease has stood for ten seconds."""
    table = Table()
    for _ in range(11):
        table.renew()
        table.pass_time(1)
    table.pass_time(-1)
    return table


def test_nothing_is_known_before_the_first_renewal() -> None:
    table = Table()
    table.pass_time(5)
    assert table.whole_for == 0.0
    table.write()
    table.pass_time(5)
    assert table.whole_for == 0.0


def test_a_table_is_whole_from_the_first_renewal_on(table: Table) -> None:
    assert table.whole_for == 10.0
    table.pass_time(1.5)
    assert table.whole_for == 11.5


def test_every_beat_is_another_one() -> None:
    listing = Listing()
    assert len({listing.next_beat() for _ in range(100)}) == 100


def test_a_lost_lease_begins_the_time_anew(table: Table) -> None:
    table.stands = None
    table.renew()
    assert table.whole_for == 0.0
    table.pass_time(1)
    table.renew()
    assert table.whole_for == 1.0


@pytest.mark.parametrize("stands", [0, 1, 10, 999])
def test_another_beat_than_the_last_one_begins_the_time_anew(table: Table, stands: int) -> None:
    table.stands = stands
    table.renew()
    assert table.whole_for == 0.0


def test_a_renewal_whose_answer_did_not_come_may_have_been_written(table: Table) -> None:
    table.write()
    table.write()
    table.renew()
    assert table.whole_for == 10.0


def test_a_renewal_whose_answer_did_not_come_may_not_have_been_written(table: Table) -> None:
    before = table.stands
    table.write()
    table.write()
    table.stands = before
    table.renew()
    assert table.whole_for == 10.0


def test_what_was_possible_once_is_not_possible_for_ever(table: Table) -> None:
    table.write()
    unanswered = table.stands
    table.renew()
    table.stands = unanswered  # it reaches the table after the one that was confirmed
    table.renew()
    assert table.whole_for == 0.0


def test_an_older_table_that_comes_back_is_noticed(table: Table) -> None:
    copy = table.stands
    table.renew()
    table.renew()
    assert table.whole_for == 10.0
    table.stands = copy
    table.renew()
    assert table.whole_for == 0.0


@pytest.mark.parametrize("epoch", [EPOCH + 1, EPOCH - 1])
def test_another_epoch_begins_the_time_anew(table: Table, epoch: int) -> None:
    table.epoch = epoch
    table.renew()
    assert table.whole_for == 0.0
    table.pass_time(3)
    table.renew()
    assert table.whole_for == 3.0


def test_a_loss_ends_it_until_the_next_renewal(table: Table) -> None:
    table.listing.broke()
    assert table.whole_for == 0.0
    table.pass_time(3)
    assert table.whole_for == 0.0
    table.renew()
    assert table.whole_for == 0.0
    table.pass_time(2)
    table.renew()
    assert table.whole_for == 2.0


def test_the_clock_that_has_gone_less_counts(table: Table) -> None:
    table.monotonic += 5  # the wall clock was set back meanwhile
    assert table.whole_for == 10.0
    table.wall += 30  # and forth, or the machine was asleep
    assert table.whole_for == 15.0


def test_it_is_never_less_than_nothing(table: Table) -> None:
    table.wall -= 1000
    assert table.whole_for == 0.0
    table.wall += 1000
    assert table.whole_for == 10.0
