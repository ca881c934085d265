"""Revocations: what can be named, and by which fingerprint it stands on the log."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.revocation import (
    MAX_ID_LENGTH,
    ClientId,
    Everything,
    Fingerprinter,
    KeyId,
    Kind,
    Position,
    Reason,
    SessionId,
    SubjectId,
    TokenId,
    Watermark,
    fingerprint,
    identifier,
)
from annul.errors import InvalidRequest
from annul.testing import ISSUER
from tests.judging import revocation

if TYPE_CHECKING:
    from collections.abc import Callable

TARGETS: dict[Kind, Callable[[Any], TokenId | SessionId | SubjectId | ClientId | KeyId]] = {
    Kind.TOKEN: TokenId,
    Kind.SESSION: SessionId,
    Kind.SUBJECT: SubjectId,
    Kind.CLIENT: ClientId,
    Kind.KEY: KeyId,
}
pure = settings(deadline=None)

# --- what can be named ----------------------------------------------------------------

OF_A_SUBJECT = {Kind.BLOCK, Kind.UNBLOCK, Kind.CLAIMS}


@pytest.mark.parametrize(
    "text",
    ["a", "0", " ", "x" * MAX_ID_LENGTH, "é" * MAX_ID_LENGTH, "\x80", "\N{PILE OF POO}", "a b"],
)
def test_an_identifier_is_any_text_of_bounded_length(text: str) -> None:
    assert identifier(text, "id") == text
    for kind, target in TARGETS.items():
        assert target(text).id == text
        assert target(text).kind is kind


@pytest.mark.parametrize(
    "thing",
    [
        None,
        0,
        5,
        1.5,
        True,
        b"alice",
        bytearray(b"alice"),
        ["alice"],
        ("alice",),
        "",
        "x" * (MAX_ID_LENGTH + 1),
        "\ud800",
        "a\udfff",
    ],
    ids=lambda thing: repr(thing)[:20],
)
def test_anything_else_names_nothing(thing: object) -> None:
    with pytest.raises(InvalidRequest):
        identifier(thing, "id")
    for target in TARGETS.values():
        with pytest.raises(InvalidRequest):
            target(thing)


@pytest.mark.parametrize("text", ["\0", "a\nb", "a\x1f", "\x7f"], ids=repr)
def test_control_characters_are_for_what_others_have_named(text: str) -> None:
    with pytest.raises(InvalidRequest):
        identifier(text, "id")

    # A token that holds such an id verifies, so it must be revocable.
    assert identifier(text, "id", foreign=True) == text
    for target in TARGETS.values():
        assert target(text).id == text


def test_a_target_is_a_value() -> None:
    assert SubjectId("alice") == SubjectId("alice")
    assert SubjectId("alice") != SubjectId("Alice")
    assert len({SubjectId("alice"), SubjectId("alice"), SessionId("alice"), TokenId("alice")}) == 3
    with pytest.raises(FrozenInstanceError):
        SubjectId("alice").id = "bob"  # type: ignore[misc]  # what is tested


def test_everything_names_the_issuer_and_takes_no_id() -> None:
    assert (Everything().kind, Everything().id) == (Kind.ISSUER, "")
    assert Everything() == Everything()
    with pytest.raises(TypeError):
        Everything("alice")  # type: ignore[call-arg]  # what is tested


@pytest.mark.parametrize("reason", list(Reason))
def test_a_reason_is_known_by_its_name(reason: Reason) -> None:
    assert Reason.of(reason.value) is reason
    assert Reason.of(reason) is reason


@pytest.mark.parametrize("name", ["", "Logout", "LOGOUT", "logout ", "user-disabled", "because"])
def test_any_other_reason_is_refused(name: str) -> None:
    with pytest.raises(InvalidRequest):
        Reason.of(name)


# --- positions ------------------------------------------------------------------------


def test_positions_compare_by_epoch_and_then_by_number() -> None:
    ordered = [Position(1, 0), Position(1, 9), Position(2, 0), Position(2, 1), Position(10, 0)]

    assert all(earlier < later for earlier, later in pairwise(ordered))
    assert Watermark(2, 1, b"tag").position == Position(2, 1)
    entry = revocation(Kind.TOKEN, "t", seq=9)
    assert entry.watermark == Watermark(7, 9, entry.tag)


# --- fingerprints ---------------------------------------------------------------------

# Few pieces, those that a fingerprint is made of, so that confusing neighbours meet.
awkward = st.lists(st.sampled_from(["a", "1", ":", "token:", "2:ab"]), max_size=3).map("".join)
names = st.tuples(awkward, st.sampled_from(list(Kind)), awkward)


@settings(deadline=None, max_examples=500)
@given(names, names)
def test_different_names_have_different_fingerprints(
    one: tuple[str, Kind, str], two: tuple[str, Kind, str]
) -> None:
    def meant(name: tuple[str, Kind, str]) -> tuple[str, Kind, str]:
        issuer, kind, value = name
        return issuer, Kind.SUBJECT if kind in OF_A_SUBJECT else kind, value

    assert (fingerprint(*one) == fingerprint(*two)) is (meant(one) == meant(two))


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (("1", Kind.TOKEN, "x"), ("1token:x", Kind.TOKEN, "")),
        (("a", Kind.TOKEN, "token:b"), ("atoken:", Kind.TOKEN, "b")),
        (("", Kind.TOKEN, "1:a"), ("1:a", Kind.TOKEN, "")),
        (("é", Kind.TOKEN, "x"), ("e\u0301", Kind.TOKEN, "x")),
        (("a", Kind.TOKEN, "x"), ("a", Kind.SESSION, "x")),
        (("a", Kind.TOKEN, "X"), ("a", Kind.TOKEN, "x")),
    ],
)
def test_no_name_can_be_written_as_another(
    one: tuple[str, Kind, str], two: tuple[str, Kind, str]
) -> None:
    assert fingerprint(*one) != fingerprint(*two)


def test_blocks_and_claims_are_of_the_subject_they_name() -> None:
    marks = {fingerprint(ISSUER, kind, "x") for kind in (Kind.SUBJECT, *OF_A_SUBJECT)}

    assert len(marks) == 1
    assert len({fingerprint(ISSUER, kind, "x") for kind in Kind}) == len(Kind) - len(OF_A_SUBJECT)


@pure
@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(list(Kind)))
def test_a_fingerprint_is_96_bits_and_always_the_same(value: str, kind: Kind) -> None:
    make = Fingerprinter(ISSUER)

    assert make(kind, value) == make(kind, value) == fingerprint(ISSUER, kind, value)
    assert len(make(kind, value)) == 12
