"""Every rule of the denylist is asked on its own, and forgetting lets in nobody who is alive."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.denylist import Denylist, Facts
from annul.core.revocation import Kind, Position, Revocation
from tests.core.logs import KEPT_FOR_EVER, facts, logs
from tests.judging import revocation

pure = settings(deadline=None)

REFUSING: list[Kind] = [kind for kind in Kind if kind is not Kind.UNBLOCK]
OURS: dict[Kind, str] = {kind: f"our {kind}" for kind in REFUSING}
# One fingerprint per kind, except that blocks and claims are a subject's.
MARKS = {kind: revocation(kind, OURS[kind]).fingerprint for kind in REFUSING}
SUBJECT = MARKS[Kind.SUBJECT]
OF_A_SUBJECT = {Kind.BLOCK, Kind.CLAIMS}
TOKEN = Facts(
    token=MARKS[Kind.TOKEN],
    session=MARKS[Kind.SESSION],
    subject=SUBJECT,
    client=MARKS[Kind.CLIENT],
    issuer=MARKS[Kind.ISSUER],
    key=MARKS[Kind.KEY],
    since=Position(7, 40),
    began_at=None,
    as_of=Position(7, 45),
)


def about_us(kind: Kind, seq: int = 50) -> Revocation:
    entry = revocation(kind, OURS[kind], seq)
    return replace(entry, fingerprint=SUBJECT) if kind in OF_A_SUBJECT else entry


def harmless(kind: Kind, seq: int) -> Revocation:
    """Return an entry that does not refuse the token: of somebody else, or from before."""
    if kind in {Kind.SUBJECT, Kind.CLIENT, Kind.ISSUER}:
        return about_us(kind, seq=min(seq, 40))
    if kind is Kind.CLAIMS:
        return about_us(kind, seq=min(seq, 45))
    return revocation(kind, f"another {kind}", seq)


# --- no rule masks another ------------------------------------------------------------


@pytest.mark.parametrize(("one", "other"), list(product(REFUSING, repeat=2)))
@pytest.mark.parametrize("seq", [1, 40, 99])
def test_an_entry_that_refuses_is_not_masked_by_one_that_does_not(
    one: Kind, other: Kind, seq: int
) -> None:
    refusing, other_entry = about_us(one), harmless(other, seq)

    assert Denylist([other_entry]).find(TOKEN) is None
    for order in permutations([refusing, other_entry]):
        hit = Denylist(order).find(TOKEN)
        assert hit is not None
        assert (hit.kind, hit.position) == (one, refusing.position)


@pytest.mark.parametrize(("one", "other"), list(product(REFUSING, repeat=2)))
def test_two_entries_that_refuse_both_count(one: Kind, other: Kind) -> None:
    first, second = about_us(one, 50), about_us(other, 60)

    for order in permutations([first, second]):
        denylist = Denylist(order)
        assert denylist.find(TOKEN) is not None
        # With one of the two out of the way, the other one still refuses.
        if one is Kind.BLOCK:
            denylist.apply([_lifting(first)])
            assert denylist.find(TOKEN) is not None


@pytest.mark.parametrize("kind", [kind for kind in REFUSING if kind is not Kind.CLAIMS])
def test_what_ends_a_session_is_told_before_claims_that_are_out_of_date(kind: Kind) -> None:
    for order in permutations([about_us(kind), about_us(Kind.CLAIMS, 60)]):
        hit = Denylist(order).find(TOKEN)
        assert hit is not None
        assert hit.kind is kind


def test_claims_say_nothing_about_what_has_no_place_in_the_log() -> None:
    entry = about_us(Kind.CLAIMS, 60)

    assert Denylist([entry]).find(TOKEN._replace(as_of=None)) is None
    assert Denylist([entry]).find(TOKEN._replace(as_of=entry.position)) is None


def _lifting(block: Revocation) -> Revocation:
    return replace(
        revocation(Kind.UNBLOCK, "us", 70), fingerprint=block.fingerprint, lifts=(block.tag,)
    )


@pytest.mark.parametrize("kind", REFUSING)
def test_an_unblock_lifts_nothing_but_the_block_it_names(kind: Kind) -> None:
    entry = about_us(kind)
    denylist = Denylist([entry, _lifting(entry)])

    assert (denylist.find(TOKEN) is None) is (kind is Kind.BLOCK)


def _alone(entry: Revocation, log: list[Revocation], asked: Facts) -> bool:
    """Whether this entry, if it were the only one, would refuse; a lifted block never does."""
    if entry.kind is Kind.BLOCK and any(
        other.kind is Kind.UNBLOCK
        and other.fingerprint == entry.fingerprint
        and entry.tag in other.lifts
        for other in log
    ):
        return False
    return Denylist([entry]).find(asked) is not None


@settings(deadline=None, max_examples=400)
@given(logs, facts)
def test_a_log_refuses_exactly_what_some_entry_of_it_refuses(
    log: list[Revocation], asked: Facts
) -> None:
    hit = Denylist(log).find(asked)

    assert (hit is not None) is any(_alone(entry, log, asked) for entry in log)
    assert hit is None or hit.kind in {entry.kind for entry in log}


@pure
@given(logs, facts)
def test_a_hit_names_a_rule_that_really_refuses(log: list[Revocation], asked: Facts) -> None:
    hit = Denylist(log).find(asked)

    assert hit is None or Denylist([hit]).find(asked) is not None


# --- forgetting -----------------------------------------------------------------------


@settings(deadline=None, max_examples=400)
@given(logs, facts, st.integers(0, 5))
def test_pruning_keeps_refusing_whatever_an_unexpired_entry_refuses(
    log: list[Revocation], asked: Facts, now: int
) -> None:
    denylist = Denylist(log)
    denylist.prune(now)

    still = [entry for entry in log if entry.expires_at is None or entry.expires_at >= now]
    if any(_alone(entry, log, asked) for entry in still):
        assert denylist.find(asked) is not None


@pytest.mark.parametrize("kind", [kind for kind in REFUSING if kind not in KEPT_FOR_EVER])
def test_a_later_entry_does_not_shorten_what_an_earlier_one_is_remembered_for(kind: Kind) -> None:
    long = replace(about_us(kind, 50), expires_at=900)
    short = replace(about_us(kind, 60), expires_at=100)

    for order in permutations([long, short]):
        denylist = Denylist(order)
        denylist.prune(900)
        assert denylist.find(TOKEN) is not None
        assert denylist.prune(901) == 1


@pytest.mark.parametrize("kind", [Kind.SUBJECT, Kind.CLIENT, Kind.ISSUER])
def test_of_two_cut_offs_the_later_position_and_the_later_time_both_count(kind: Kind) -> None:
    by_position = replace(about_us(kind, 60), at=1000.0)
    by_time = replace(about_us(kind, 50), at=2000.0)

    for order in permutations([by_position, by_time]):
        denylist = Denylist(order)
        assert denylist.find(TOKEN._replace(since=Position(7, 59))) is not None
        assert denylist.find(TOKEN._replace(since=None, began_at=1500.0)) is not None
        assert denylist.find(TOKEN._replace(since=Position(7, 60), began_at=2001.0)) is None


@pure
@given(logs, facts, st.integers(0, 5))
def test_pruning_refuses_nothing_new(log: list[Revocation], asked: Facts, now: int) -> None:
    before, pruned = Denylist(log), Denylist(log)

    gone = pruned.prune(now)

    assert gone == len(before) - len(pruned)
    assert pruned.find(asked) is None or before.find(asked) is not None
    assert pruned.prune(now) == 0
    assert {entry.tag for entry in pruned if entry.kind in KEPT_FOR_EVER} == {
        entry.tag for entry in before if entry.kind in KEPT_FOR_EVER
    }


@pure
@given(logs, st.integers(0, 5))
def test_what_was_pruned_can_be_learnt_again(log: list[Revocation], now: int) -> None:
    whole, pruned = Denylist(log), Denylist(log)
    pruned.prune(now)

    assert pruned.merge(whole) == whole
    assert whole.merge(pruned) == whole


# --- bookkeeping ----------------------------------------------------------------------


@pure
@given(logs)
def test_applying_what_is_known_is_no_news(log: list[Revocation]) -> None:
    denylist = Denylist(log)
    version = denylist.version

    assert denylist.apply(log) == 0
    assert denylist.apply(list(denylist)) == 0
    assert denylist.version == version


@pure
@given(logs, logs)
def test_merging_changes_neither_side(log: list[Revocation], more: list[Revocation]) -> None:
    one, two = Denylist(log), Denylist(more)

    merged = one.merge(two)

    assert one == Denylist(log)
    assert two == Denylist(more)
    assert merged.keys() == one.keys() | two.keys()


@pure
@given(logs)
def test_its_length_is_the_number_of_entries_it_gives_back(log: list[Revocation]) -> None:
    denylist = Denylist(log)

    assert len(denylist) == len(list(denylist)) <= len(log)
