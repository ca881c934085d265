"""A snapshot is everything that a denylist knows, or it is refused; nothing in between."""

from __future__ import annotations

import mmap
import struct
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.denylist import Denylist, Facts
from annul.core.revocation import Kind, Reason, Revocation, Watermark
from annul.core.snapshot import MOST_WATERMARKS, decode
from annul.testing import ISSUER
from tests.core.logs import facts, logs
from tests.core.snapshots import (
    DIGEST_BYTES,
    LIFTED,
    NAMED,
    SMALL,
    WHOLE,
    digested,
    refused,
    restored,
    snapshot_of,
    written,
)
from tests.judging import revocation

if TYPE_CHECKING:
    from pathlib import Path

pure = settings(deadline=None, derandomize=True)

# --- what goes in comes out -----------------------------------------------------------


def test_what_a_snapshot_says_is_read_as_it_was_written() -> None:
    read = decode(WHOLE, issuer=ISSUER)

    assert (read.issuer, read.lineage, read.watermarks) == (ISSUER, "line", SMALL.watermarks)
    assert read.pruned_by == SMALL.pruned_by
    assert set(read.others) == set(SMALL.others)
    assert NAMED in read.others
    assert LIFTED in read.others
    assert list(read.base) == list(SMALL.base)
    assert len(read.base) == 43
    assert written(read) == WHOLE


@pure
@given(logs, st.lists(facts, max_size=8))
def test_a_restored_denylist_refuses_what_the_one_before_did(
    log: list[Revocation], questions: list[Facts]
) -> None:
    before = Denylist(log)

    after = restored(decode(written(snapshot_of(before)), issuer=ISSUER))

    for asked in questions:
        known, found = before.find(asked), after.find(asked)
        assert (found is None) is (known is None)
        assert found is None or Denylist([found]).find(asked) is not None


@pure
@given(logs)
def test_what_a_denylist_knew_is_no_news_to_the_restored_one(log: list[Revocation]) -> None:
    before = Denylist(log)

    after = restored(decode(written(snapshot_of(before)), issuer=ISSUER))

    assert after.apply(before) == 0


@pytest.mark.parametrize("reason", list(Reason))
@pytest.mark.parametrize("kind", [Kind.TOKEN, Kind.SESSION, Kind.CLIENT])
def test_every_reason_survives(reason: Reason, kind: Kind) -> None:
    entry = replace(revocation(kind, "x"), reason=reason)

    (found,) = restored(decode(written(snapshot_of(Denylist([entry]))), issuer=ISSUER))

    assert (found.reason, found.kind, found.fingerprint) == (reason, kind, entry.fingerprint)


def test_no_more_watermarks_are_kept_than_can_be_read() -> None:
    marks = [Watermark(1, seq, b"t") for seq in range(MOST_WATERMARKS + 5)]

    read = decode(written(snapshot_of(Denylist(), *marks)), issuer=ISSUER)

    assert read.watermarks == tuple(marks[:MOST_WATERMARKS])


def test_what_it_says_is_read_where_it_lies_in_a_mapped_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(WHOLE)
    with (tmp_path / "file").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    read = decode(mapped, issuer=ISSUER)

    assert list(read.base) == list(SMALL.base)
    assert read.base.tokens.records is read.base.sessions.records is mapped
    assert written(read) == WHOLE


def test_only_the_base_is_read_if_nothing_else_is_asked_for() -> None:
    read = decode(WHOLE, issuer=ISSUER, only_base=True)

    assert read.others == ()
    assert list(read.base) == list(SMALL.base)
    assert read.watermarks == SMALL.watermarks


# --- damage ---------------------------------------------------------------------------


def test_no_byte_can_be_another_one() -> None:
    for place in range(len(WHOLE)):
        damaged = bytearray(WHOLE)
        damaged[place] ^= 1 << place % 8
        assert refused(bytes(damaged)), place


def test_no_part_of_it_is_enough_and_nothing_can_be_added() -> None:
    assert all(refused(WHOLE[:size]) for size in range(len(WHOLE)))
    assert refused(WHOLE + b"\0")
    assert refused(WHOLE + WHOLE)


def test_it_is_of_one_issuer() -> None:
    assert refused(WHOLE, issuer="https://other.example")
    assert decode(WHOLE, issuer=None).issuer == ISSUER


@pytest.mark.parametrize("place", [9, 10], ids=["version", "byte order"])
def test_another_version_or_byte_order_is_refused_though_whole(place: int) -> None:
    other = bytearray(WHOLE[:-DIGEST_BYTES])
    other[place] += 1

    assert refused(digested(bytes(other)))


@pytest.mark.parametrize("place", [16, 24, 32], ids=["tokens", "sessions", "facts"])
@pytest.mark.parametrize("size", [0, 1, 44, 1 << 29, 1 << 40, (1 << 64) - 1])
def test_sizes_that_are_not_so_are_refused(place: int, size: int) -> None:
    other = bytearray(WHOLE[:-DIGEST_BYTES])
    other[place : place + 8] = struct.pack(">Q", size)

    assert refused(digested(bytes(other)))
