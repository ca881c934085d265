"""Strict base64url and strict JSON: the two parsers an attacker reaches first.

Both are stricter than the standard library on purpose. A lax decoder gives one token
several spellings, which is how revocation by token text was bypassed elsewhere; a lax JSON
parser lets two readers see two different tokens (duplicate names, NaN, 1e400, surrogates).
"""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, b2a_base64
from json import JSONDecoder, JSONEncoder
from json import encoder as json_encoder
from math import isfinite
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "MAX_JSON_DEPTH",
    "EncodingError",
    "b64url_bytes",
    "b64url_decode",
    "b64url_encode",
    "compact_json",
    "decode_segment",
    "json_text",
    "parse_object",
]

MAX_JSON_DEPTH = 32
"""How deep objects and arrays may nest; real tokens use three or four levels."""


class EncodingError(ValueError):
    """The bytes are not canonical base64url or not strict JSON. Callers translate it."""


# --- base64url (RFC 4648 §5, RFC 7515 §2) ----------------------------------------------

TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
"""Maps base64url to base64 and the three characters base64url lacks to one that neither has."""

_TO_URLSAFE = bytes.maketrans(b"+/", b"-_")

# The unused low bits of the last character must be zero, or several spellings decode alike. By the
# length modulo 4: whole quanta end as they like, and a quantum of one character does not exist.
_CANONICAL_TAIL: tuple[frozenset[int] | None, ...] = (
    None,
    frozenset(),
    frozenset(b"AQgw"),
    frozenset(b"AEIMQUYcgkosw048"),
)


def b64url_encode(data: bytes) -> str:
    """Return ``data`` as base64url without padding."""
    return b64url_bytes(data).decode("ascii")


def b64url_bytes(data: bytes) -> bytes:
    """Return ``data`` as base64url without padding, in ASCII bytes."""
    return b2a_base64(data, newline=False).translate(_TO_URLSAFE, b"=")


def b64url_decode(text: str | bytes) -> bytes:
    """Return the bytes that ``text`` encodes.

    Raises ``EncodingError`` unless ``text`` is the one canonical encoding: only the base64url
    alphabet, no padding, no white space, unused bits zero.
    """
    if isinstance(text, str):
        try:
            text = text.encode("ascii")
        except UnicodeEncodeError:
            raise EncodingError("not base64url") from None
    return decode_segment(text.translate(TO_STANDARD))


def decode_segment(segment: bytes) -> bytes:
    """Decode one segment that has already been mapped with ``TO_STANDARD``.

    The C decoder skips characters it does not know and stops at ``=``; both make the result
    shorter than the segment's length promises, so comparing lengths finds them all. It could not
    where one character more promises nothing more, but no segment has such a length.
    """
    size = len(segment)
    tail = _CANONICAL_TAIL[size & 3]
    if tail is not None and segment[-1] not in tail:
        raise EncodingError("not canonical base64url")
    try:
        data = a2b_base64(segment + b"==")
    except Base64Error:
        raise EncodingError("not base64url") from None
    if len(data) != size * 3 >> 2:
        raise EncodingError("not base64url")
    return data


# --- JSON (RFC 8259, RFC 7515 §5.2, RFC 7519 §4) ---------------------------------------


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise EncodingError("duplicate member name")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise EncodingError("number out of range")
    return number


def _refuse_constant(_name: str) -> NoReturn:
    raise EncodingError("NaN and Infinity are not JSON")


_scan = JSONDecoder(
    object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant
).scan_once  # type: ignore[attr-defined]  # what decode() calls, without its white space
_ENCODER = JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False)
# encode() builds this anew at every call, which takes longer than encoding a few claims. Nesting
# without end is found by the recursion limit, so no markers are kept.
_make_writer = getattr(json_encoder, "c_make_encoder", None)
_write: Callable[[Any, int], tuple[str, ...]] | None = _make_writer and _make_writer(
    None,  # markers
    _ENCODER.default,
    json_encoder.encode_basestring,
    None,  # indent
    ":",
    ",",
    False,  # noqa: FBT003 - sort_keys
    False,  # noqa: FBT003 - skipkeys
    False,  # noqa: FBT003 - allow_nan
)
_SPACE = " \t\n\r"
# Possessive, because a string is never to be read in another way: going back would take memory.
_STRUCTURE = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|[\[\]{}]', re.DOTALL)


def parse_object(data: bytes) -> dict[str, Any]:
    """Return the JSON object in ``data``.

    Raises ``EncodingError`` unless ``data`` is UTF-8 without a byte order mark and holds exactly
    one object, with no duplicate names at any depth, no NaN, Infinity or overflowing number, no
    lone surrogate, and at most ``MAX_JSON_DEPTH`` levels.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise EncodingError("not UTF-8") from None
    if text[:1] != "{":
        text = text.lstrip(_SPACE)
        if text[:1] != "{":
            raise EncodingError("not a JSON object")
    # Counting brackets is a cheap upper bound on depth; only when it is exceeded look closely.
    # The scanner below recurses in C, so depth must be known before it starts.
    if text.count("{") + text.count("[") > MAX_JSON_DEPTH:
        _check_depth(text)
    try:
        value, end = _scan(text, 0)
    except EncodingError:
        raise
    except (ValueError, StopIteration, RecursionError):
        raise EncodingError("not valid JSON") from None
    if end != len(text) and text[end:].strip(_SPACE):
        raise EncodingError("text after the JSON object")
    if "\\" in text:
        _check_surrogates(value)
    return value  # type: ignore[no-any-return]  # the first character was "{"


def _check_depth(text: str) -> None:
    depth = 0
    for match in _STRUCTURE.finditer(text):
        mark = match.group()
        if mark in "[{":
            depth += 1
            if depth > MAX_JSON_DEPTH:
                raise EncodingError("nested too deeply")
        elif mark in "]}":
            depth -= 1


def _check_surrogates(value: Any) -> None:  # noqa: ANN401 - JSON values
    # Escapes may spell half a surrogate pair; such a string has no UTF-8 form, so it could
    # neither be logged nor fingerprinted later.
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise EncodingError("lone surrogate") from None
    elif isinstance(value, dict):
        for name, member in value.items():
            _check_surrogates(name)
            _check_surrogates(member)
    elif isinstance(value, list):
        for member in value:
            _check_surrogates(member)


def json_text(value: Any) -> str:  # noqa: ANN401 - JSON values
    """Return ``value`` as JSON without white space; it may still hold lone surrogates.

    Raises ``EncodingError`` for what JSON cannot carry: NaN, foreign types, endless nesting.
    """
    try:
        return "".join(_write(value, 0)) if _write is not None else _ENCODER.encode(value)
    except (ValueError, TypeError, RecursionError):
        raise EncodingError("not representable as JSON") from None


def compact_json(value: Any) -> bytes:  # noqa: ANN401 - JSON values
    """Return ``value`` as JSON in UTF-8; ``EncodingError`` as for ``json_text``, or no UTF-8."""
    try:
        return json_text(value).encode("utf-8")
    except UnicodeEncodeError:
        raise EncodingError("not representable as UTF-8") from None
