"""What a presented refresh token does: the table of ``annul.core.session``, row by row."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.revocation import Fingerprinter, Kind, Position
from annul.core.session import (
    Ended,
    Replayed,
    Retried,
    Rotated,
    RotateOutcome,
    Session,
    Unknown,
    decide,
)
from annul.testing import ISSUER, NOW, sample_session
from tests.judging import revocation

if TYPE_CHECKING:
    from annul.core.revocation import Revocation

GRACE = 10.0
HEAD = Position(7, 3)
CUT = revocation(Kind.SUBJECT, "alice")


def present(session: Session, generation: int, at: float = NOW, **fields: Any) -> RotateOutcome:  # noqa: ANN401 - see decide
    given: dict[str, Any] = {
        "covered_by": None,
        "client_id": None,
        "jkt": session.jkt,
        "handle_key": "key-2",
        "grace": GRACE,
        "as_of": HEAD,
    }
    return decide(session, generation, now=at, **given | fields)


def rotated(times: int, **fields: Any) -> Session:  # noqa: ANN401 - the fields of Session
    """Return a session that has been rotated ``times`` times, the last time at ``NOW``."""
    return sample_session(
        generation=times, rotated_at=NOW if times else None, entropy=bytes, **fields
    )


# --- the table ------------------------------------------------------------------------

INSIDE = [0.0, 5.0, GRACE - 0.001, GRACE]
OUTSIDE = [GRACE + 0.001, 60.0, 3599.0]


@pytest.mark.parametrize("late", [*INSIDE, *OUTSIDE])
@pytest.mark.parametrize("generation", [0, 1, 5])
def test_the_current_generation_rotates_whenever(generation: int, late: float) -> None:
    session = rotated(generation)

    outcome = present(session, generation, NOW + late)

    assert outcome == Rotated(
        replace(
            session,
            generation=generation + 1,
            handle_key="key-2",
            rotated_at=NOW + late,
            last_seen=NOW + late,
            as_of=HEAD,
        )
    )


@pytest.mark.parametrize("late", INSIDE)
@pytest.mark.parametrize("generation", [1, 2, 5])
def test_the_one_before_is_a_retry_inside_the_window(generation: int, late: float) -> None:
    session = rotated(generation)

    assert present(session, generation - 1, NOW + late) == Retried(session)


@pytest.mark.parametrize("late", OUTSIDE)
@pytest.mark.parametrize("generation", [1, 2, 5])
def test_the_one_before_is_a_replay_after_the_window(generation: int, late: float) -> None:
    session = rotated(generation)

    assert present(session, generation - 1, NOW + late) == Replayed(session)


@pytest.mark.parametrize("late", [*INSIDE, *OUTSIDE])
@pytest.mark.parametrize("presented", [0, 1, 2, 3])
def test_anything_older_is_a_replay_at_once(presented: int, late: float) -> None:
    session = rotated(5)

    assert present(session, presented, NOW + late) == Replayed(session)


@pytest.mark.parametrize("ahead", [1, 2, 40])
def test_one_ahead_of_the_store_wins_and_says_so(ahead: int) -> None:
    outcome = present(rotated(5), 5 + ahead)

    assert isinstance(outcome, Rotated)
    assert outcome.store_lost_data
    assert outcome.session.generation == 6 + ahead


@pytest.mark.parametrize("late", OUTSIDE)
def test_a_session_bound_to_a_key_may_retry_without_limit_but_only_the_one_before(
    late: float,
) -> None:
    session = rotated(5, jkt="thumb")

    assert present(session, 4, NOW + late) == Retried(session)
    assert present(session, 3, NOW + late) == Replayed(session)


@pytest.mark.parametrize("late", OUTSIDE)
def test_an_unconfirmed_rotation_may_be_retried_without_limit(late: float) -> None:
    session = rotated(5, confirmed=False)

    assert present(session, 4, NOW + late) == Retried(session)
    assert present(session, 3, NOW + late) == Replayed(session)


def test_without_grace_a_retry_must_come_in_the_same_moment() -> None:
    session = rotated(1)

    assert present(session, 0, grace=0) == Retried(session)
    assert present(session, 0, NOW + 0.001, grace=0) == Replayed(session)


def test_a_clock_that_was_set_back_makes_no_thief() -> None:
    session = rotated(1)

    assert present(session, 0, NOW - 100) == Retried(session)


def test_a_slow_clock_does_not_make_a_session_older() -> None:
    outcome = present(rotated(0, last_seen=NOW + 5), 0)

    assert isinstance(outcome, Rotated)
    assert (outcome.session.last_seen, outcome.session.rotated_at) == (NOW + 5, NOW)


# --- who asks, and whether it is alive ------------------------------------------------


@pytest.mark.parametrize(("presented", "covered"), list(product([0, 4, 5, 9], [None, CUT])))
@pytest.mark.parametrize("at", [NOW, NOW + 1e9])
def test_another_client_or_key_learns_nothing_whatever_it_presents(
    presented: int,
    covered: Revocation | None,
    at: float,
) -> None:
    free, bound = rotated(5), rotated(5, jkt="thumb")

    assert present(free, presented, at, covered_by=covered, client_id="other") == Unknown()
    assert present(free, presented, at, covered_by=covered, client_id="") == Unknown()
    for jkt in (None, "", "other", "THUMB"):
        assert present(bound, presented, at, covered_by=covered, jkt=jkt) == Unknown()
    assert present(bound, presented, at, covered_by=covered, client_id="other") == Unknown()


def test_its_own_client_and_any_key_that_was_not_asked_for_are_no_obstacle() -> None:
    assert isinstance(present(rotated(5), 5, client_id="web", jkt="thumb"), Rotated)
    assert isinstance(present(rotated(5, jkt="thumb"), 5, client_id="web"), Rotated)


@pytest.mark.parametrize("presented", [0, 3, 4, 5, 9])
def test_a_session_that_is_over_is_only_that(presented: int) -> None:
    session = rotated(5)

    assert present(session, presented, covered_by=CUT) == Ended(session, CUT)
    assert present(session, presented, session.ends_at) == Ended(session, None)
    assert present(session, presented, session.ends_at, covered_by=CUT) == Ended(session, CUT)


@pytest.mark.parametrize("at", [NOW + 99.999, NOW + 100, NOW + 1e9])
def test_a_session_ends_at_the_very_moment_of_either_limit(at: float) -> None:
    idle = rotated(0, idle_ttl=100.0, last_seen=NOW)
    absolute = rotated(0, ends_at=NOW + 100, last_seen=NOW + 99)

    for session in (idle, absolute):
        assert session.within_limits(at) is (at < NOW + 100)
        assert isinstance(present(session, 0, at), Rotated if at < NOW + 100 else Ended)


# --- over time ------------------------------------------------------------------------


@pytest.mark.parametrize("late", [GRACE + 0.001, GRACE + 5])
def test_retries_do_not_extend_the_window(late: float) -> None:
    session = rotated(1)

    for step in (2.0, 4.0, 6.0, 8.0, GRACE):
        outcome = present(session, 0, NOW + step)
        assert isinstance(outcome, Retried)
        session = outcome.session

    assert present(session, 0, NOW + late) == Replayed(session)


steps = st.lists(st.tuples(st.floats(0, 30), st.integers(0, 6)), max_size=30)


@settings(deadline=None, max_examples=200)
@given(steps, st.booleans())
def test_the_generation_of_a_session_only_ever_grows(
    moves: list[tuple[float, int]], bound: bool
) -> None:
    session, now = rotated(3, jkt="thumb" if bound else None), NOW

    for passes, back in moves:
        now += passes
        outcome = present(session, max(0, session.generation - back), now)
        if isinstance(outcome, Rotated):
            assert back == 0
            assert outcome.session.generation == session.generation + 1
            session = outcome.session
        elif isinstance(outcome, Retried):
            assert back == 1
            assert outcome.session == session
        else:
            # Once replayed, the store covers the session, and then every generation is refused.
            assert isinstance(outcome, Replayed)
            for presented in range(session.generation + 3):
                after = present(session, presented, now, covered_by=CUT)
                assert after == Ended(session, CUT)


def test_the_facts_of_a_session_are_those_of_its_tokens() -> None:
    fingerprint = Fingerprinter(ISSUER)
    session = rotated(0, auth_time=NOW - 7.5)

    facts = session.facts(fingerprint)

    assert (facts.token, facts.key) == (None, None)
    assert facts.session == fingerprint(Kind.SESSION, session.sid)
    assert facts.subject == fingerprint(Kind.SUBJECT, "alice")
    assert facts.client == fingerprint(Kind.CLIENT, "web")
    assert facts.issuer == fingerprint(Kind.ISSUER, "")
    assert (facts.since, facts.began_at) == (session.since, NOW - 7.5)


def test_the_family_and_the_claims_do_not_appear_in_a_repr() -> None:
    session = sample_session(family=b"not for logs", claims={"secret": "hunter2"})

    assert "not for logs" not in repr(session)
    assert "hunter2" not in repr(session)
