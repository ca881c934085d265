"""How old a freshness proof is, and where each of its boundaries lies."""

from __future__ import annotations

from math import inf, isinf, nextafter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.revocation import CLOCK_SKEW
from annul.replica.freshness import (
    Moment,
    answers_late,
    clocks_agree,
    is_open,
    never,
    prolonged,
    shut,
    staleness,
    window_from,
)

DELTA = 2.0
STARTED = Moment(monotonic=100.0, wall=4_000_000_000.0)

pure = settings(deadline=None)
seconds = st.floats(-1e6, 1e6)


def later(monotonic: float, wall: float) -> Moment:
    return Moment(STARTED.monotonic + monotonic, STARTED.wall + wall)


def test_a_window_ends_a_full_delta_after_the_renewal_was_started() -> None:
    window = window_from(STARTED, DELTA)

    assert (window.monotonic_until, window.wall_until) == later(DELTA, DELTA)
    assert window.wall_from == STARTED.wall - CLOCK_SKEW
    assert window.started == STARTED
    assert window.cause == "store_unreachable"


@pytest.mark.parametrize(
    ("monotonic", "wall", "answers"),
    [
        (0.0, 0.0, True),
        (1.999, 1.999, True),
        (2.0, 1.999, False),
        (1.999, 2.0, False),
        (2.0, 2.0, False),
        # A suspended machine: its monotonic clock stood still.
        (0.1, 3600.0, False),
        # A wall clock that was set back: as far as clocks may differ, and further.
        (2.5, -1.0, False),
        (1.5, -60.0, True),
        (1.5, -60.001, False),
        (0.1, -3600.0, False),
    ],
)
def test_either_clock_alone_closes_the_window(monotonic: float, wall: float, answers: bool) -> None:
    assert is_open(window_from(STARTED, DELTA), later(monotonic, wall)) is answers


@pytest.mark.parametrize(
    ("monotonic", "wall", "age"),
    [(0.0, 0.0, 0.0), (1.0, 0.5, 1.0), (0.5, 1.0, 1.0), (1.0, -50.0, 1.0), (0.0, 3600.0, 3600.0)],
)
def test_the_age_is_the_larger_advance_of_the_two_clocks(
    monotonic: float, wall: float, age: float
) -> None:
    assert staleness(window_from(STARTED, DELTA), later(monotonic, wall)) == age


@pure
@given(seconds, seconds, st.floats(0.1, 3600))
def test_whoever_answers_is_younger_than_delta(monotonic: float, wall: float, delta: float) -> None:
    # Whole numbers of 1/1024 s, so that adding and subtracting are exact.
    now = later(round(monotonic * 1024) / 1024, round(wall * 1024) / 1024)
    delta = round(delta * 1024) / 1024

    window = window_from(STARTED, delta)

    back = now.wall < STARTED.wall - CLOCK_SKEW
    assert is_open(window, now) is (staleness(window, now) < delta and not back)


@pytest.mark.parametrize("cause", ["starting", "closed", "forked"])
@pytest.mark.parametrize("now", [Moment(0.0, 0.0), Moment(-1e300, -1e300), STARTED])
def test_a_replica_that_may_never_answer_is_infinitely_old(cause: str, now: Moment) -> None:
    window = never(cause)

    assert not is_open(window, now)
    assert isinf(staleness(window, now))
    assert staleness(window, now) > 0
    assert window.cause == cause


@pytest.mark.parametrize(
    ("monotonic", "wall", "answers"),
    [
        (2.0, 2.0, True),
        (31.999, 31.999, True),
        (32.0, 31.999, False),
        (31.999, 32.0, False),
        (0.1, 31.0, True),
        (0.1, 3600.0, False),
        # A wall clock that has fallen behind the other: as far as clocks may differ, and further.
        (10.0, -50.0, True),
        (10.0, -50.001, False),
        (0.0, -60.001, False),
    ],
)
def test_the_exception_ends_so_much_after_the_window_on_either_clock(
    monotonic: float, wall: float, answers: bool
) -> None:
    assert answers_late(window_from(STARTED, DELTA), 30.0, later(monotonic, wall)) is answers


@pytest.mark.parametrize("cause", ["starting", "closed", "clock_disagrees", "store_empty"])
def test_a_window_that_time_has_not_closed_has_no_exception(cause: str) -> None:
    for now in (STARTED, Moment(-1e300, -1e300), Moment(0.0, 0.0)):
        assert not is_open(prolonged(never(cause), 3600.0), now)
        assert not answers_late(never(cause), 3600.0, now)


def test_a_window_that_is_shut_keeps_its_age_and_never_opens_again() -> None:
    window = shut(window_from(STARTED, DELTA))

    assert staleness(window, later(1.0, 1.0)) == 1.0
    assert window.cause == "store_unreachable"
    for now in (later(0.0, 0.0), later(-10.0, -10.0)):
        assert not is_open(window, now)
        assert not answers_late(window, 3600.0, now)


@pytest.mark.parametrize("sign", [1, -1])
def test_clocks_agree_up_to_the_skew_and_no_further(sign: int) -> None:
    store_time = 1_000.0

    assert clocks_agree(store_time, store_time)
    assert clocks_agree(store_time, store_time + sign * CLOCK_SKEW)
    beyond = nextafter(store_time + sign * CLOCK_SKEW, sign * inf)
    assert not clocks_agree(store_time, beyond)
    assert not clocks_agree(store_time, store_time + sign * 1e9)


@pure
@given(seconds, seconds)
def test_agreeing_is_mutual(one: float, two: float) -> None:
    assert clocks_agree(one, two) is clocks_agree(two, one)
