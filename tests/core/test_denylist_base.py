"""A denylist with a base refuses what the same one without it does, and asks the base only once."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.denylist import Denylist, Facts
from annul.core.revocation import Kind, Position, Reason, Revocation
from annul.core.steps import in_one_go
from annul.errors import Revoked
from tests.core.logs import facts, logs
from tests.core.snapshots import based
from tests.judging import Judge, revocation
from tests.signing import sample_claims, signed

pure = settings(deadline=None, derandomize=True)
MANY = {Kind.TOKEN, Kind.SESSION}


def split(log: list[Revocation], place: int) -> Denylist:
    """Return a denylist that learnt a log when the ids in the first part of it were in a base."""
    denylist = Denylist(entry for entry in log[:place] if entry.kind not in MANY)
    denylist.adopt(based(log[:place]))
    denylist.apply(log[place:])
    return denylist


def about(seq: int, kind: Kind = Kind.TOKEN, until: int | None = 500) -> Revocation:
    return replace(revocation(kind, f"id {seq}", seq), expires_at=until)


def asking(entry: Revocation) -> Facts:
    """Return the facts of a token, or of a session, that only this entry is about."""
    value, none = entry.fingerprint, b"nobody knows"
    token, session = (value, none) if entry.kind is Kind.TOKEN else (none, value)
    return Facts(token, session, None, None, none, None, Position(1, 1), None)


# --- the same answers -----------------------------------------------------------------


@settings(deadline=None, derandomize=True, max_examples=400)
@given(logs, st.integers(0, 12), st.lists(facts, max_size=6))
def test_it_refuses_exactly_what_it_would_without_a_base(
    log: list[Revocation], place: int, questions: list[Facts]
) -> None:
    plain, large = Denylist(log), split(log, place)

    for asked in questions:
        known, found = plain.find(asked), large.find(asked)
        assert (found is None) is (known is None)
        assert found is None or Denylist([found]).find(asked) is not None


@pure
@given(logs, st.integers(0, 12))
def test_what_is_in_the_base_is_no_news(log: list[Revocation], place: int) -> None:
    denylist = split(log, place)
    version = denylist.version

    assert denylist.apply(log) == 0
    assert denylist.apply(list(denylist)) == 0
    assert denylist.version == version


@pure
@given(logs, logs, st.integers(0, 12), st.lists(facts, max_size=6))
def test_merging_keeps_both_bases(
    log: list[Revocation], more: list[Revocation], place: int, questions: list[Facts]
) -> None:
    # A block and its unblock with one tag in both logs would be two histories of one entry.
    one, two = (
        split([entry for entry in each if entry.kind not in {Kind.BLOCK, Kind.UNBLOCK}], place)
        for each in (log, more)
    )
    merged = one.merge(two)

    for asked in questions:
        either = one.find(asked) is not None or two.find(asked) is not None
        assert (merged.find(asked) is not None) is either
        assert (two.merge(one).find(asked) is not None) is either


@pure
@given(logs, logs, st.integers(0, 5), st.lists(facts, max_size=6))
def test_weaving_loses_nothing_and_adds_nothing(
    log: list[Revocation], more: list[Revocation], now: int, questions: list[Facts]
) -> None:
    old = based(log).without(now)
    woven = in_one_go(old.with_ids(based(more)))
    plain = Denylist(entry for entry in [*old, *more] if entry.kind in MANY)

    assert woven.forgotten == 0
    assert len(woven) == len(plain)
    for asked in questions:
        found = woven.find(asked.token, asked.session) is not None
        assert found is (plain.find(asked) is not None)
    assert all(woven.covers(entry) for entry in plain)


@pytest.mark.parametrize("kind", [Kind.TOKEN, Kind.SESSION])
def test_a_hit_in_the_base_says_what_and_why(kind: Kind) -> None:
    entry = replace(about(1, kind), reason=Reason.SESSION_HIJACK)
    denylist = Denylist()
    denylist.adopt(based([entry]))

    hit = denylist.find(asking(entry))

    assert hit is not None
    assert (hit.kind, hit.reason, hit.fingerprint) == (kind, entry.reason, entry.fingerprint)
    other = Kind.SESSION if kind is Kind.TOKEN else Kind.TOKEN
    assert denylist.find(asking(replace(entry, kind=other))) is None


@pytest.mark.parametrize("place", range(12))
def test_all_ninety_six_bits_count(place: int) -> None:
    entry = about(1)
    near = bytearray(entry.fingerprint)
    near[place] ^= 1
    denylist = Denylist()
    denylist.adopt(based([entry, replace(entry, fingerprint=bytes(12))]))

    assert denylist.find(asking(replace(entry, fingerprint=bytes(near)))) is None
    assert denylist.find(asking(entry)) is not None


def test_a_longer_life_than_the_base_knows_of_is_news() -> None:
    entry = about(1, until=500)
    denylist = Denylist()
    denylist.adopt(based([entry]))

    assert denylist.apply([replace(entry, expires_at=400)]) == 0
    assert denylist.apply([replace(entry, expires_at=501)]) == 1
    denylist.prune(501)
    assert denylist.find(asking(entry)) is not None
    denylist.prune(502)
    assert denylist.find(asking(entry)) is None


# --- taking it, and letting go ---------------------------------------------------------


def test_adopting_and_settling_change_no_answer() -> None:
    entries = [about(seq, kind) for seq in range(60) for kind in MANY]
    denylist = Denylist(entries)
    outside = denylist.outside

    denylist.adopt(based(entries))
    assert all(denylist.find(asking(entry)) is not None for entry in entries)
    denylist.settle(entries)

    assert (outside, denylist.outside) == (120, 0)
    assert all(denylist.find(asking(entry)) is not None for entry in entries)
    assert len(denylist) == len(list(denylist)) == 120


def test_what_has_changed_meanwhile_is_not_let_go() -> None:
    old, other = about(1), about(2)
    denylist = Denylist([old, other])
    base = based([old, other])
    longer = replace(old, expires_at=900)
    denylist.apply([longer])
    denylist.adopt(base)

    denylist.settle([old, other])

    assert list(denylist.recent()) == [longer]


def test_nothing_is_let_go_that_the_base_does_not_cover() -> None:
    covered, later, unknown = about(1), about(2, until=900), about(3)
    denylist = Denylist([covered, later, unknown])
    denylist.adopt(based([covered, replace(later, expires_at=800)]))

    denylist.settle([covered, later, unknown])

    assert set(denylist.recent()) == {later, unknown}


@pytest.mark.parametrize("until", [300, None])
def test_pruning_forgets_a_segment_and_keeps_the_others(until: int | None) -> None:
    short, long = [about(n, until=100) for n in range(5)], about(9, until=until)
    denylist = Denylist()
    denylist.adopt(based([*short, long]))

    assert denylist.prune(100) == 0
    assert denylist.prune(101) == 5
    assert denylist.prune(101) == 0
    assert denylist.base is not None
    assert (len(denylist), denylist.base.forgotten) == (1, 5)
    assert all(denylist.find(asking(entry)) is None for entry in short)
    assert denylist.find(asking(long)) is not None
    assert denylist.apply(short) == 5  # and can be learnt again


def test_what_is_settled_while_others_are_being_forgotten_is_in_nobodys_way() -> None:
    entries = [about(n, kind, until=100 if n % 3 else 500) for n in range(40) for kind in MANY]
    denylist = Denylist(entries)
    steps = denylist.pruning(101)
    next(steps)
    denylist.adopt(based(entries))
    denylist.settle(entries[::2])

    in_one_go(steps)

    for entry in entries:
        assert (denylist.find(asking(entry)) is None) is (entry.expires_at == 100)


# --- asked once -----------------------------------------------------------------------


def test_a_base_that_had_nothing_is_not_asked_again_but_the_next_one_is() -> None:
    denylist, entry = Denylist(), about(1)
    asked = asking(entry)
    first, second = based([about(2)]), based([about(2), entry])

    denylist.adopt(first)
    assert denylist.find(asked) is None
    assert asked.absent_from == first.generation
    denylist.prune(1)  # what is left of a base has nothing more than the whole
    assert denylist.base is not None
    assert denylist.base.generation == first.generation

    denylist.adopt(second)
    assert denylist.find(asked) is not None
    assert asked.absent_from == first.generation


def test_what_the_base_has_is_found_every_time() -> None:
    denylist, entry = Denylist(), about(1)
    asked = asking(entry)
    denylist.adopt(based([entry]))

    assert [denylist.find(asked) is None for _ in range(3)] == [False] * 3


def test_facts_are_equal_whatever_was_noted_about_them() -> None:
    denylist, asked = Denylist(), asking(about(1))
    denylist.adopt(based([about(2)]))
    denylist.find(asked)

    assert asked == asking(about(1))
    assert asked._replace(key=b"k").absent_from is None


@pytest.mark.parametrize("kind", [Kind.TOKEN, Kind.SESSION])
def test_a_remembered_token_is_refused_once_a_base_has_it(kind: Kind) -> None:
    judge = Judge()
    token = signed(sample_claims(jti="t", sid="s"))
    other = signed(sample_claims(jti="other", sid="other"))
    judge.denylist.adopt(based([revocation(Kind.TOKEN, "somebody else's")]))
    kept = judge.verify(token)
    judge.verify(other)

    judge.denylist.adopt(based([revocation(kind, "t" if kind is Kind.TOKEN else "s")]))

    with pytest.raises(Revoked):
        judge.verify(token)
    assert judge.verify(other).jti == "other"
    judge.denylist.adopt(based([]))
    assert judge.verify(token) is kept
