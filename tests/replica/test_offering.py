"""What a replica offers, when it offers it again, and when it stops."""

from __future__ import annotations

import pytest

from annul.core.revocation import Fingerprinter, Kind, Position, Reason, Revocation
from annul.replica.offering import Offering
from annul.stores.base import MOST_OFFERS
from annul.testing import ISSUER, NOW

SOON, LATER = 1.0, 60.0
MARK = Fingerprinter(ISSUER)(Kind.TOKEN, "one")


def entry(number: int, proof: bytes = b"proof") -> Revocation:
    return Revocation(
        position=Position(7, number),
        tag=number.to_bytes(16, "big"),
        issuer=ISSUER,
        kind=Kind.TOKEN,
        fingerprint=MARK,
        reason=Reason.ADMIN,
        at=NOW,
        expires_at=None,
        proof=proof,
    )


ONE, TWO, THREE = map(entry, (1, 2, 3))


@pytest.fixture
def offering() -> Offering:
    """One that has three entries to offer."""
    offering = Offering()
    offering.begin([ONE, TWO, THREE, entry(4)], [entry(4)])
    return offering


def test_nothing_is_offered_before_anything_is_lost() -> None:
    assert Offering().due(0.0) == ()


def test_what_the_store_does_not_hold_is_offered_at_once(offering: Offering) -> None:
    assert offering.due(0.0) == (ONE, TWO, THREE)


def test_what_no_authority_could_recognise_is_not_offered() -> None:
    offering = Offering()
    offering.begin([entry(1, proof=b""), TWO], [])
    assert offering.due(0.0) == (TWO,)


def test_it_is_not_offered_again_soon(offering: Offering) -> None:
    offering.due(0.0)
    assert offering.due(SOON) == ()
    offering.came([ONE])
    assert offering.due(SOON) == ()  # the others may be on their way


def test_what_has_not_come_back_is_offered_again_later(offering: Offering) -> None:
    offering.due(0.0)
    offering.came([TWO, entry(9)])
    assert offering.due(LATER) == (ONE, THREE)


def test_what_has_come_back_is_not_offered_again(offering: Offering) -> None:
    offering.due(0.0)
    offering.came([ONE, TWO, THREE])
    assert [offering.due(LATER * n) for n in range(1, 5)] == [()] * 4


def test_what_others_have_given_back_is_not_offered_at_all(offering: Offering) -> None:
    offering.came([ONE, THREE])
    assert offering.due(0.0) == (TWO,)


def test_what_is_never_taken_is_given_up(offering: Offering) -> None:
    offered = [offering.due(LATER * n) for n in range(50)]
    assert 1 < sum(bool(each) for each in offered) < 10
    assert offered[-1] == ()


def test_as_long_as_some_are_taken_it_goes_on() -> None:
    offering = Offering()
    offering.begin([entry(n) for n in range(30)], [])
    for n in range(30):
        offered = offering.due(LATER * n)
        assert len(offered) == 30 - n
        offering.came(offered[:1])
    assert offering.due(LATER * 30) == ()


def test_more_than_an_inbox_holds_are_offered_one_inbox_after_the_other() -> None:
    offering = Offering()
    everything = [entry(n) for n in range(2 * MOST_OFFERS + 5)]
    offering.begin(everything, [])
    seen: list[Revocation] = []
    for expected in (MOST_OFFERS, MOST_OFFERS, 5, 0):
        offered = offering.due(SOON)
        assert len(offered) == expected
        seen += offered
        offering.came(offered)
    assert seen == everything


def test_those_that_are_not_taken_do_not_stand_in_the_way_of_others() -> None:
    offering = Offering()
    offering.begin([entry(n) for n in range(MOST_OFFERS + 5)], [])
    offering.due(0.0)
    assert {entry(MOST_OFFERS + n) for n in range(5)} <= set(offering.due(LATER))


def test_another_loss_begins_from_the_start(offering: Offering) -> None:
    while offering.due(0.0):
        offering.came([ONE, TWO, THREE])
    offering.begin([ONE, TWO], [TWO])
    assert offering.due(0.0) == (ONE,)
