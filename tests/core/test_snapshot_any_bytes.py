"""Bytes with the right digest and the wrong contents: a snapshot or refused, never a surprise."""

from __future__ import annotations

import json
import struct
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from annul.core.denylist import Denylist, Facts
from annul.core.revocation import Kind, Position
from annul.core.snapshot import MOST_WATERMARKS, Snapshot, decode
from annul.errors import InvalidRequest
from annul.testing import ISSUER
from tests.core.snapshots import (
    DIGEST_BYTES,
    HEAD_BYTES,
    WHOLE,
    digested,
    refused,
    restored,
    snapshot_of,
    written,
)
from tests.judging import revocation


def facts_changed(change: dict[str, object] | list[object], line: int = 0) -> bytes:
    body = WHOLE[:-DIGEST_BYTES]
    (length,) = struct.unpack_from(">Q", body, 32)
    lines = body[-length:].split(b"\n")
    if isinstance(change, dict):
        lines[line] = json.dumps(json.loads(lines[line]) | change).encode()
    else:
        lines[line] = json.dumps(change).encode()
    text = b"\n".join(lines)
    return digested(body[:32] + struct.pack(">Q", len(text)) + body[HEAD_BYTES:-length] + text)


def test_facts_can_be_changed_and_the_digest_with_them() -> None:
    changed = decode(facts_changed({"lineage": "another"}), issuer=ISSUER)

    assert changed.lineage == "another"


@pytest.mark.parametrize(
    "change",
    [
        [],
        {"issuer": None},
        {"lineage": 1},
        {"watermarks": None},
        {"watermarks": [[1, 2]]},
        {"watermarks": [[1, -2, "AA"]]},
        {"watermarks": [[True, 2, "AA"]]},
        {"watermarks": [[1, 2.0, "AA"]]},
        {"watermarks": [[1, 2, "A"]]},
        {"watermarks": [[1, 2, "AA"]] * (MOST_WATERMARKS + 1)},
        {"pruned_by": "soon"},
        {"pruned_by": 1e300},
        {"pruned_by": True},
        {"tokens": None},
        {"tokens": [[1, 2]]},
        {"tokens": [[1, 2, 3]]},
        {"tokens": [[1.5, 2, True]]},
        {"sessions": [[None, 1, True]] * 17},
    ],
)
def test_a_first_line_that_says_something_else_is_refused(
    change: dict[str, object] | list[object],
) -> None:
    assert refused(facts_changed(change))


@pytest.mark.parametrize(
    "change",
    [
        [],
        {"kind": "everything"},
        {"id": "!"},
        {"id": "A" * 2000},
        {"mark": 1},
        {"mark": [1 << 64, 2, ""]},
        {"reason": "boredom"},
        {"at": None},
        {"at": False},
        {"until": 1.5},
        {"issuer": 5},
        {"name": 5},
        {"actor": []},
        {"lifts": "AA"},
        {"lifts": [1]},
        {"proof": 1},
    ],
)
def test_an_entry_that_is_none_is_refused(change: dict[str, object] | list[object]) -> None:
    assert refused(facts_changed(change, line=1))


def test_an_entry_that_json_cannot_carry_is_refused_when_written() -> None:
    entry = replace(revocation(Kind.CLIENT, "x"), actor="half \ud800")

    with pytest.raises(InvalidRequest):
        written(snapshot_of(Denylist([entry])))


# --- anything -------------------------------------------------------------------------

MARKS = [revocation(Kind.TOKEN, f"t{n}").fingerprint for n in range(3)]
ASKED = Facts(MARKS[0], MARKS[1], MARKS[2], None, b"", None, Position(1, 1), None)


def ask_everything(snapshot: Snapshot) -> None:
    """Look into every corner; whatever is answered, nothing may be raised."""
    list(snapshot.base)
    restored(snapshot).find(ASKED)
    for top in range(256):
        value = bytes([top]) * 12
        snapshot.base.find(value, value)
    written(snapshot)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(st.binary(max_size=300))
@example(b"")
@example(WHOLE[:HEAD_BYTES])
def test_any_bytes_are_a_snapshot_or_refused(data: bytes) -> None:
    for given_bytes in (data, digested(data), digested(WHOLE[:9] + data)):
        try:
            ask_everything(decode(given_bytes, issuer=ISSUER))
        except InvalidRequest:
            continue


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, len(WHOLE) - DIGEST_BYTES - 1), st.integers(1, 255)),
        min_size=1,
        max_size=4,
    )
)
def test_a_damaged_snapshot_with_the_right_digest_never_raises_anything_else(
    damage: list[tuple[int, int]],
) -> None:
    body = bytearray(WHOLE[:-DIGEST_BYTES])
    for place, value in damage:
        body[place] ^= value
    try:
        ask_everything(decode(digested(bytes(body)), issuer=ISSUER))
    except InvalidRequest:
        return
