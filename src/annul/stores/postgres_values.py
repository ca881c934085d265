"""Values on the way to PostgreSQL and back, in its text format. Pure.

PostgreSQL keeps no NUL character in a text. Identifiers of other systems may hold one, so it is
written as two characters of which the first is a noncharacter of Unicode, and so is that one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dump", "loader"]

_ESCAPE = "\ufdd0"
_ESCAPED = {"\0": _ESCAPE + "0", _ESCAPE: _ESCAPE + "1"}
_ESCAPE_BYTES = _ESCAPE.encode()
_TO_ESCAPED = str.maketrans(_ESCAPED)


def dump(value: Any) -> bytes | None:  # noqa: ANN401 - whatever a column can hold
    """Return a value as a parameter of a statement."""
    if value is None:
        return None
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bytes):
        return b"\\x" + value.hex().encode()
    if isinstance(value, list):
        return ("{" + ",".join(f'"\\\\x{item.hex()}"' for item in value) + "}").encode()
    return repr(value).encode()


def loader(oid: int) -> Callable[[bytes], Any]:
    """Return what makes a value of the bytes of a column of this type."""
    return _LOADERS.get(oid, _load_text)


def _text(value: str) -> bytes:
    if "\0" in value or _ESCAPE in value:
        value = value.translate(_TO_ESCAPED)
    return value.encode("utf-8")


def _load_text(data: bytes) -> str:
    text = data.decode("utf-8")
    if _ESCAPE_BYTES in data:
        text = text.replace(_ESCAPED["\0"], "\0").replace(_ESCAPED[_ESCAPE], _ESCAPE)
    return text


def _load_bytes(data: bytes) -> bytes:
    return bytes.fromhex(data[2:].decode("ascii"))


def _load_bool(data: bytes) -> bool:
    return data == b"t"


_LOADERS: dict[int, Callable[[bytes], Any]] = {
    16: _load_bool,  # boolean
    17: _load_bytes,  # bytea
    20: int,  # bigint
    21: int,  # smallint
    23: int,  # integer
    701: float,  # double precision
}
