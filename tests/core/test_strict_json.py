"""Strict JSON: two readers of one document must not see two documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from annul.core.encoding import MAX_JSON_DEPTH, EncodingError, parse_object

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


def parses(data: bytes) -> bool:
    try:
        parse_object(data)
    except EncodingError:
        return False
    return True


# --- what is read ---------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(objects, st.integers(0, 4), st.booleans())
def test_layout_and_escapes_change_nothing(
    value: dict[str, Any], indent: int, ascii_: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_)

    assert parse_object(f" \r\n\t{text}\n ".encode()) == value


@settings(deadline=None, max_examples=100)
@given(objects, st.data())
def test_a_damaged_document_is_refused_or_read_as_others_read_it(
    value: dict[str, Any], data: st.DataObject
) -> None:
    raw = bytearray(json.dumps(value).encode())
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))

    if parses(bytes(raw)):
        assert parse_object(bytes(raw)) == json.loads(raw)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_an_object_or_refused_and_nothing_else(data: bytes) -> None:
    assert not parses(data) or isinstance(parse_object(data), dict)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{}", {}),
        ('{"":0}', {"": 0}),
        ('{"a":{"x":1},"b":{"x":2}}', {"a": {"x": 1}, "b": {"x": 2}}),
        ('{"a":-0,"b":1e3,"c":1E-400}', {"a": 0, "b": 1000.0, "c": 0.0}),
        ('{"a":1e308}', {"a": 1e308}),
        ('{"a":"\\ud83d\\ude00"}', {"a": "\U0001f600"}),
        ('{"a":"NaN","b":"\ufeff"}', {"a": "NaN", "b": "\ufeff"}),
        ('{"a":"\\u0000\\/"}', {"a": "\0/"}),
    ],
)
def test_an_unusual_but_valid_document_is_read(text: str, value: dict[str, Any]) -> None:
    assert parse_object(text.encode()) == value


# --- what is refused: JWS-05, JWT-02 --------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "null",
        "1",
        '"{}"',
        "[]",
        "[{}]",
        "{",
        "}",
        '{"a"}',
        '{"a":}',
        '{"a":1,}',
        '{,"a":1}',
        "{'a':1}",
        "{a:1}",
        '{"a":1}x',
        '{"a":1}{"a":1}',
        '{"a":1}\0',
        '{"a":1}\u00a0',
        '\u00a0{"a":1}',
        '\x0c{"a":1}',
        '{"a":1}//',
        '{/**/"a":1}',
        '{"a":01}',
        '{"a":+1}',
        '{"a":.5}',
        '{"a":1.}',
        '{"a":0x10}',
        '{"a":1_000}',
        '{"a":\uff11}',
        '{"a":True}',
        '{"a":"\n"}',
        '{"a":"\t"}',
        '{"a":"\\x41"}',
        '{"a":"\\u12"}',
        '{"a":"\\u+123"}',
        '{"a":"\\"}',
        '{"a":"',
        '{"a":"\\',
    ],
)
def test_what_is_not_one_json_object_is_refused(text: str) -> None:
    assert not parses(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"a":1}',
        '{"a":1,"b":2,"a":3}',
        '{"a":1,"\\u0061":2}',
        '{"":1,"":2}',
        '{"x":{"a":1,"a":2}}',
        '{"x":[0,{"y":[{"a":1,"a":2}]}]}',
    ],
)
def test_a_name_that_is_there_twice_is_refused_at_any_depth(text: str) -> None:
    assert not parses(text.encode())


def test_names_that_only_look_alike_are_different_names() -> None:
    assert len(parse_object('{"a":1,"A":2,"a ":3,"\u0430":4,"\uff41":5}'.encode())) == 5


@pytest.mark.parametrize(
    "number",
    ["NaN", "Infinity", "-Infinity", "1e400", "-1E+400", "1e99999", "9.9e308", "nan", "inf"],
)
@pytest.mark.parametrize("place", ['{"a":%s}', '{"a":[1,{"b":%s}]}'])
def test_a_number_that_is_not_finite_is_refused(number: str, place: str) -> None:
    assert not parses((place % number).encode())


@pytest.mark.parametrize("digits", [5_000, 50_000])
def test_an_integer_of_thousands_of_digits_is_refused(digits: int) -> None:
    assert not parses(b'{"a":1%b}' % (b"0" * digits))
    assert not parses(b'{"a":-1%b}' % (b"0" * digits))
    assert not parses(b'{"a":1%b.0}' % (b"0" * digits))


@pytest.mark.parametrize(
    "text",
    [
        r'{"a":"\ud800"}',
        r'{"a":"\udc00"}',
        r'{"a":"\udc00\ud800"}',
        r'{"a":"\ud800x\udc00"}',
        r'{"a":"\ud83d\ud83d\ude00"}',
        r'{"\ud800":1}',
        r'{"a":[{"b":["\udfff"]}]}',
        r'{"a":{"\uDBFF":1}}',
    ],
)
def test_half_of_a_surrogate_pair_is_refused(text: str) -> None:
    assert not parses(text.encode())


@pytest.mark.parametrize(
    "data",
    [
        b'\xef\xbb\xbf{"a":1}',
        b' \xef\xbb\xbf{"a":1}',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-16-be"),
        '{"a":1}'.encode("utf-32"),
        b'{"a":"\xff"}',
        b'{"a":"\xe9"}',
        b'{"a":"\xc0\xaf"}',
        b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\xf4\x90\x80\x80"}',
        b'{"a":"\xc3"}',
    ],
)
def test_what_is_not_utf_8_or_has_a_byte_order_mark_is_refused(data: bytes) -> None:
    assert not parses(data)


# --- depth ----------------------------------------------------------------------------


def nested(levels: int, shape: str) -> bytes:
    """Return an object with ``levels`` levels in all, the others as ``shape`` says."""
    inner = levels - 1
    if shape == "arrays":
        return b'{"a":' + b"[" * inner + b"]" * inner + b"}"
    if shape == "objects":
        return b'{"a":' * inner + b"{}" + b"}" * inner
    pairs, odd = divmod(inner, 2)
    return b'{"a":' + b'[{"a":' * pairs + (b"[]" if odd else b"0") + b"}]" * pairs + b"}"


@pytest.mark.parametrize("shape", ["arrays", "objects", "mixed"])
def test_the_deepest_document_is_read_and_one_level_more_is_refused(shape: str) -> None:
    assert parses(nested(MAX_JSON_DEPTH, shape))
    assert not parses(nested(MAX_JSON_DEPTH + 1, shape))


@pytest.mark.parametrize("shape", ["arrays", "objects", "mixed"])
def test_depth_without_end_is_refused_like_any_other(shape: str) -> None:
    assert not parses(nested(100_000, shape))
    assert not parses(nested(100_000, shape)[:200_000])


def test_depth_is_counted_where_brackets_close_too() -> None:
    wide = b'{"a":[' + b",".join([b'{"b":[]}'] * 1000) + b"]}"
    assert parses(wide)

    late = b'{"a":[' + b"[]," * 1000 + nested(MAX_JSON_DEPTH - 1, "objects") + b"]}"
    assert not parses(late)


@pytest.mark.parametrize(
    "text", ["[" * 99, "{" * 99, '\\"' + "[" * 99, "\\\\" * 99 + "[" * 99, "]" * 99 + "[" * 99]
)
def test_brackets_inside_strings_do_not_nest(text: str) -> None:
    assert parses(f'{{"a":"{text}","{text}":0}}'.encode())
    assert not parses(f'{{"a":"{text}","b":{"[" * 99}{"]" * 99}}}'.encode())
