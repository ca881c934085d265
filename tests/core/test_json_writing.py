"""JSON on the way out: what is written is compact, and can be read back by everybody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.encoding import EncodingError, compact_json, json_text, parse_object

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=12,
)
objects = st.dictionaries(st.text(max_size=6), values, max_size=6)


@settings(deadline=None, max_examples=60)
@given(objects)
def test_what_is_written_is_read_back_the_same(value: dict[str, Any]) -> None:
    assert parse_object(compact_json(value)) == value
    assert json.loads(json_text(value)) == value


def test_json_is_written_without_white_space_and_without_escaping_more_than_it_must() -> None:
    assert (
        json_text({"a": [1, 2.5, None, True], "é": '"\n'}) == '{"a":[1,2.5,null,true],"é":"\\"\\n"}'
    )
    assert compact_json({"é": "\U0001f600"}) == '{"é":"\U0001f600"}'.encode()


def endless() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        float("inf"),
        -float("inf"),
        b"bytes",
        {1, 2},
        object(),
        1j,
        {(1, 2): 3},
        {b"a": 1},
        10**5000,
        endless(),
    ],
    ids=[
        "nan",
        "infinity",
        "minus infinity",
        "bytes",
        "a set",
        "an object",
        "a complex number",
        "a tuple as name",
        "bytes as name",
        "an endless integer",
        "an endless list",
    ],
)
def test_what_json_cannot_carry_is_not_written(value: object) -> None:
    for write in (json_text, compact_json):
        with pytest.raises(EncodingError):
            write({"a": value})


def test_a_lone_surrogate_never_becomes_bytes() -> None:
    assert json_text("\ud800") == '"\ud800"'
    with pytest.raises(EncodingError):
        compact_json({"a": "\ud800"})
