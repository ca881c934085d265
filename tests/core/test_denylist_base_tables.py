"""The tables of a base: sixteen segments of expiry, and an index that leads to every id."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.id_table import EMPTY, IdTable
from annul.core.id_weaving import build, weave
from annul.core.revocation import Kind, Reason, Revocation
from annul.core.segments import MOST_SEGMENTS, Segment, ends_of, plan, rounded, slot_of
from annul.core.steps import in_one_go
from tests.judging import revocation

pure = settings(deadline=None, derandomize=True)
times = st.none() | st.integers(0, 2_000_000_000)
expiries = st.lists(st.tuples(times, st.integers(1, 1000)), max_size=60)

ENTRY = revocation(Kind.TOKEN, "x")


# Spread evenly as real ones are, all in one bucket of the index, and equal in their first half.
SPREADS = ("even", "crowded", "alike")


def ids(count: int, seed: int = 1, spread: str = "even") -> list[Revocation]:
    source = random.Random(seed)
    beginning = {"even": 8, "crowded": 4, "alike": 0}[spread]
    return [
        replace(
            ENTRY,
            fingerprint=source.randbytes(beginning) + bytes(8 - beginning) + source.randbytes(4),
            reason=source.choice(list(Reason)),
            expires_at=source.choice([None, *range(1000, 1000 + 90 * 30, 30)]),
        )
        for _ in range(count)
    ]


def table(entries: list[Revocation]) -> IdTable:
    return in_one_go(build(entries))


# --- segments -------------------------------------------------------------------------


@pure
@given(expiries)
def test_every_expiry_has_a_segment_that_is_long_enough(
    found: list[tuple[int | None, int]],
) -> None:
    segments = plan(found)
    ends = ends_of(segments)

    assert len(segments) <= MOST_SEGMENTS
    assert sum(each.ids for each in segments) == sum(count for _, count in found)
    assert list(ends) == sorted(set(ends))
    for until, _ in found:
        slot = slot_of(ends, until)
        kept = segments[slot].until
        assert (kept is None) is (until is None)
        assert kept is None or until is None or kept >= until
        assert slot == 0 or until is None or ends[slot - 1] < until


@pure
@given(st.lists(times, max_size=MOST_SEGMENTS - 1, unique=True))
def test_as_many_times_as_there_are_segments_are_kept_exactly(found: list[int | None]) -> None:
    assert {each.until for each in plan((until, 1) for until in found)} == set(found)


def test_few_ids_wait_for_many_and_not_the_other_way_round() -> None:
    days = [(day * 86_400, 1000) for day in range(1, MOST_SEGMENTS + 1)]

    segments = plan([*days, (86_400 * 3 + 43_200, 1)])

    assert [each for each in segments if each.ids > 1000] == [Segment(86_400 * 4, 1001)]


@pure
@given(st.integers(0, 2_000_000_000), st.integers(0, 2_000_000_000))
def test_rounding_only_ever_adds_and_at_most_an_eighth(until: int, origin: int) -> None:
    early, late = sorted((until, origin))

    found = rounded(late, early)

    assert found is not None
    assert late <= found <= late + (late - early) // 8
    assert rounded(None, early) is None


def test_nobody_is_kept_by_a_segment_that_ends_before() -> None:
    ends = ends_of([Segment(10), Segment(20)])

    assert [slot_of(ends, until) for until in (5, 10, 11, 20)] == [0, 0, 1, 1]
    assert slot_of(ends, 21) == slot_of(ends, None) == MOST_SEGMENTS


# --- tables ---------------------------------------------------------------------------


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("count", [0, 1, 2, 7, 16, 17, 500, 5000])
def test_every_id_is_found_and_no_other(count: int, spread: str) -> None:
    entries = ids(count, spread=spread)
    made = table(entries)

    assert len(made) == made.count == len({entry.fingerprint for entry in entries})
    for entry in entries:
        mark = made.find(entry.fingerprint)
        assert mark >= 0
        until = made.segment(mark).until
        assert made.reason(mark) is entry.reason
        assert until is None or (entry.expires_at is not None and entry.expires_at <= until)
    strangers = ids(500, seed=2, spread=spread)
    assert all(made.find(entry.fingerprint) == -1 for entry in strangers)
    assert sorted(each.fingerprint for each in made) == sorted(e.fingerprint for e in entries)


@pytest.mark.parametrize("value", [b"", bytes(11), bytes(13), b"not a fingerprint at all"])
def test_what_is_no_fingerprint_is_not_in_a_table(value: bytes) -> None:
    assert table(ids(100)).find(value) == -1
    assert EMPTY.find(value) == -1


def test_the_end_of_one_id_and_the_beginning_of_the_next_are_not_an_id() -> None:
    one, two = (replace(ENTRY, fingerprint=bytes((top,)) * 12) for top in (1, 2))
    made = table([one, two])
    both = bytes(made.records)
    between = [both[at : at + 12] for at in range(1, 13)]

    assert [made.find(each) for each in between] == [-1] * 12
    for each in between:
        woven = table([one, two, replace(ENTRY, fingerprint=each)])
        assert len(woven) == 3
        assert woven.find(each) >= 0


def test_of_equal_ids_the_one_that_is_remembered_longest_stays() -> None:
    short, long, endless = (
        replace(ENTRY, expires_at=until, reason=reason)
        for until, reason in ((10, Reason.ADMIN), (20, Reason.LOGOUT), (None, Reason.SUPERSEDED))
    )

    for entries in ([short, long], [long, short]):
        made = table(entries)
        assert [(each.until, each.reason) for each in made] == [(20, Reason.LOGOUT)]
        for woven in (
            in_one_go(weave(made, table([endless]))),
            in_one_go(weave(table([endless]), made)),
        ):
            assert [(each.until, each.reason) for each in woven] == [(None, Reason.SUPERSEDED)]


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize(("old", "new"), [(0, 9), (9, 0), (3000, 200), (200, 3000), (60, 60)])
def test_two_tables_woven_are_what_one_of_both_would_be(old: int, new: int, spread: str) -> None:
    ours, theirs = ids(old, seed=3, spread=spread), ids(new, seed=4, spread=spread)
    theirs += ours[: new // 2]

    woven = in_one_go(weave(table(ours), table(theirs)))
    whole = table([*ours, *theirs])

    assert [each.fingerprint for each in woven] == [each.fingerprint for each in whole]
    assert sum(each.ids for each in woven.segments) == woven.count
    for entry in (*ours, *theirs):
        mark = woven.find(entry.fingerprint)
        until = woven.segment(mark).until
        assert mark >= 0
        assert until is None or (entry.expires_at is not None and entry.expires_at <= until)


@pytest.mark.parametrize("now", [0, 1500, 2500, 10_000])
def test_what_is_forgotten_takes_room_until_the_next_weaving(now: int) -> None:
    entries = ids(3000)
    made = table(entries).without(now)
    left = [each for each in table(entries) if each.until is None or each.until >= now]

    woven = in_one_go(weave(made, table(ids(10, seed=5))))

    assert made.count == len({entry.fingerprint for entry in entries})
    assert len(made) == len(list(made)) == len(left)
    assert woven.count == len(woven) == len(left) + 10
    assert {each.fingerprint for each in left} <= {each.fingerprint for each in woven}


def test_an_id_takes_less_than_fourteen_bytes() -> None:
    made = table(ids(50_000))

    size = len(made.records) + 4 * len(made.index)
    assert size < 14 * made.count


def test_it_is_made_in_small_pieces() -> None:
    entries = ids(20_000)

    assert sum(1 for _ in build(entries)) > 4 * len(entries) / 2000
    assert sum(1 for _ in weave(table(entries), table(ids(5000)))) > 4 * 5000 / 2000
