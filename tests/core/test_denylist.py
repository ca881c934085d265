"""The denylist as a join-semilattice, and what each kind of entry refuses and does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.denylist import Denylist, Facts
from annul.core.revocation import Kind, Position, Reason, Revocation, fingerprint
from annul.testing import ISSUER
from tests.core.logs import logs, one_tag_one_block

pure = settings(deadline=None)


@pure
@given(logs)
def test_join_is_idempotent(log: list[Revocation]) -> None:
    one = Denylist(log)

    assert one.merge(one) == one
    assert Denylist([*log, *log]) == one


@pure
@given(logs.flatmap(lambda log: st.tuples(st.just(log), st.permutations(log))))
def test_order_does_not_matter(orders: tuple[list[Revocation], list[Revocation]]) -> None:
    log, shuffled = orders

    assert Denylist(shuffled) == Denylist(log)


@pure
@given(logs, st.integers(0, 12), st.integers(0, 12))
def test_join_is_associative_and_commutative(log: list[Revocation], i: int, j: int) -> None:
    a, b, c = Denylist(log[:i]), Denylist(log[i : i + j]), Denylist(log[i + j :])

    assert a.merge(b) == b.merge(a)
    assert a.merge(b).merge(c) == a.merge(b.merge(c))
    assert a.merge(b).merge(c) == Denylist(log)


@pure
@given(logs)
def test_iterating_gives_what_rebuilds_it(log: list[Revocation]) -> None:
    one = Denylist(log)

    assert Denylist(one) == one


@pure
@given(logs, logs)
def test_joining_never_lets_a_token_back_in(log: list[Revocation], more: list[Revocation]) -> None:
    known = one_tag_one_block([*log, *more])
    before, after = Denylist(known[: len(log)]), Denylist(known)
    facts = [
        _facts(mark, Position(epoch, seq))
        for mark in (bytes([0]) * 12, bytes([1]) * 12)
        for epoch in (1, 2)
        for seq in (0, 3)
    ]
    lifted = any(entry.kind is Kind.UNBLOCK for entry in known)

    for fact in facts:
        hit = before.find(fact)
        if hit is not None and not (lifted and hit.kind is Kind.BLOCK):
            assert after.find(fact) is not None


def _facts(mark: bytes, since: Position) -> Facts:
    return Facts(mark, mark, mark, mark, mark, mark, since, None)


# --- each kind ------------------------------------------------------------------------


def entry(kind: Kind, value: str, seq: int = 5, **more: object) -> Revocation:
    made = Revocation(
        position=Position(7, seq),
        tag=bytes([seq]) * 16,
        issuer=ISSUER,
        kind=kind,
        fingerprint=fingerprint(ISSUER, kind, value),
        reason=Reason.ADMIN,
        at=1000.0,
        expires_at=None if kind in {Kind.KEY, Kind.BLOCK, Kind.UNBLOCK} else 5000,
    )
    return replace(made, **more)  # type: ignore[arg-type]  # fields of the dataclass


def facts(seq: int = 4, began_at: float | None = None, ids: dict[str, str] | None = None) -> Facts:
    names = ids or {}

    def mark(kind: Kind, default: str) -> bytes:
        return fingerprint(ISSUER, kind, names.get(kind.value, default))

    return Facts(
        token=mark(Kind.TOKEN, "t1"),
        session=mark(Kind.SESSION, "s1"),
        subject=mark(Kind.SUBJECT, "alice"),
        client=mark(Kind.CLIENT, "web"),
        issuer=fingerprint(names.get("iss", ISSUER), Kind.ISSUER, ""),
        key=mark(Kind.KEY, "k1"),
        since=None if seq < 0 else Position(7, seq),
        began_at=began_at,
    )


@pytest.mark.parametrize(
    ("kind", "value", "others"),
    [
        (Kind.TOKEN, "t1", {"token": "t2"}),
        (Kind.SESSION, "s1", {"session": "s2"}),
        (Kind.SUBJECT, "alice", {"subject": "bob"}),
        (Kind.BLOCK, "alice", {"subject": "bob"}),
        (Kind.CLIENT, "web", {"client": "app"}),
        (Kind.KEY, "k1", {"key": "k2"}),
        (Kind.ISSUER, "", {"iss": "https://other.example"}),
    ],
)
def test_each_kind_refuses_its_target_and_nothing_else(
    kind: Kind, value: str, others: dict[str, str]
) -> None:
    denylist = Denylist([entry(kind, value)])

    hit = denylist.find(facts())

    assert hit is not None
    assert hit.kind is kind
    assert denylist.find(facts(ids=others)) is None


@pytest.mark.parametrize(("kind", "value"), [(Kind.TOKEN, "s1"), (Kind.SESSION, "t1")])
def test_an_id_of_one_kind_says_nothing_about_another(kind: Kind, value: str) -> None:
    assert Denylist([entry(kind, value)]).find(facts()) is None


@pytest.mark.parametrize("kind", [Kind.SUBJECT, Kind.CLIENT, Kind.ISSUER])
@pytest.mark.parametrize(("seq", "refused"), [(4, True), (5, False), (6, False)])
def test_a_cutoff_refuses_exactly_what_began_before(kind: Kind, seq: int, refused: bool) -> None:
    value = {Kind.SUBJECT: "alice", Kind.CLIENT: "web", Kind.ISSUER: ""}[kind]

    found = Denylist([entry(kind, value, seq=5)]).find(facts(seq))

    assert (found is not None) is refused


@pytest.mark.parametrize("kind", [Kind.TOKEN, Kind.SESSION, Kind.KEY, Kind.BLOCK])
def test_ids_and_blocks_refuse_whenever_the_session_began(kind: Kind) -> None:
    value = {"token": "t1", "session": "s1", "key": "k1", "block": "alice"}[kind.value]

    assert Denylist([entry(kind, value)]).find(facts(seq=99)) is not None


def test_an_older_epoch_is_before_any_position_of_a_newer_one() -> None:
    cutoff = entry(Kind.SUBJECT, "alice", position=Position(8, 0))

    assert Denylist([cutoff]).find(facts(seq=1_000_000)) is not None


@pytest.mark.parametrize("first", [Kind.CLIENT, Kind.ISSUER, Kind.SUBJECT])
@pytest.mark.parametrize("second", [Kind.CLIENT, Kind.ISSUER, Kind.SUBJECT])
@pytest.mark.parametrize(("one", "two"), [(2, 9), (9, 2)])
def test_no_cutoff_masks_another(first: Kind, second: Kind, one: int, two: int) -> None:
    """CVE-2026-8922, CVE-2026-18218: with two cut-offs, the later one must still count."""
    names = {Kind.SUBJECT: "alice", Kind.CLIENT: "web", Kind.ISSUER: ""}
    denylist = Denylist([entry(first, names[first], one), entry(second, names[second], two)])

    assert denylist.find(facts(seq=5)) is not None
    assert denylist.find(facts(seq=9)) is None


@pytest.mark.parametrize(("began_at", "refused"), [(999.0, True), (1000.9, True), (1001.0, False)])
def test_tokens_without_a_position_are_compared_by_wall_time(
    began_at: float, refused: bool
) -> None:
    found = Denylist([entry(Kind.SUBJECT, "alice")]).find(facts(seq=-1, began_at=began_at))

    assert (found is not None) is refused


def test_an_authentication_time_before_the_cutoff_refuses_a_later_session() -> None:
    assert Denylist([entry(Kind.SUBJECT, "alice")]).find(facts(seq=99, began_at=900.0)) is not None


def test_an_unblock_lifts_only_the_blocks_it_names() -> None:
    first, second = entry(Kind.BLOCK, "alice", 1), entry(Kind.BLOCK, "alice", 2)
    unblock = entry(Kind.UNBLOCK, "alice", 3, lifts=(first.tag,))

    assert Denylist([first, second, unblock]).find(facts()) is not None
    assert Denylist([first, unblock]).find(facts()) is None
    assert Denylist([unblock, first]).find(facts()) is None


def test_pruning_forgets_what_expired_and_never_keys_or_blocks() -> None:
    kept = [entry(Kind.KEY, "k1", 1), entry(Kind.BLOCK, "alice", 2), entry(Kind.UNBLOCK, "bob", 3)]
    denylist = Denylist([*kept, entry(Kind.TOKEN, "t1", 4), entry(Kind.SUBJECT, "alice", 5)])

    assert denylist.prune(5000) == 0
    assert denylist.prune(5001) == 2
    assert denylist == Denylist(kept)
    assert denylist.prune(1e18) == 0


def test_the_version_moves_with_every_piece_of_news_and_only_then() -> None:
    denylist = Denylist()
    news = entry(Kind.TOKEN, "t1")

    assert denylist.version == 0
    assert denylist.apply([news]) == 1
    moved = denylist.version
    assert moved > 0
    assert denylist.apply([news]) == 0
    assert denylist.version == moved
