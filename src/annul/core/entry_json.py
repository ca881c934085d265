"""One entry of the log as a JSON object and back, with every member checked on the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from annul.core.encoding import EncodingError, b64url_decode, b64url_encode
from annul.core.revocation import Kind, Position, Reason, Revocation, Watermark

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "entry_from_json",
    "entry_to_json",
    "number_from_json",
    "watermark_from_json",
    "watermark_to_json",
    "whole_from_json",
]

_LARGEST = 1 << 63
_MOST_BYTES = 1024


def entry_to_json(entry: Revocation, issuer: str) -> dict[str, Any]:
    """Return an entry as JSON values; what is left out is what most entries have."""
    found: dict[str, Any] = {
        "kind": entry.kind.value,
        "id": b64url_encode(entry.fingerprint),
        "mark": watermark_to_json(entry.watermark),
        "reason": entry.reason.value,
        "at": entry.at,
    }
    if entry.expires_at is not None:
        found["until"] = entry.expires_at
    if entry.issuer != issuer:
        found["issuer"] = entry.issuer
    if entry.id is not None:
        found["name"] = entry.id
    if entry.actor is not None:
        found["actor"] = entry.actor
    if entry.lifts:
        found["lifts"] = [b64url_encode(tag) for tag in entry.lifts]
    if entry.proof:
        found["proof"] = b64url_encode(entry.proof)
    return found


def entry_from_json(found: Mapping[str, Any], issuer: str) -> Revocation:
    """Return the entry that ``entry_to_json`` has written; ``EncodingError`` if it has not."""
    try:
        mark = watermark_from_json(found["mark"])
        until, lifts = found.get("until"), found.get("lifts", [])
        if type(lifts) is not list:
            raise EncodingError("lifts is not an array")
        return Revocation(
            position=mark.position,
            tag=mark.tag,
            issuer=_text(found.get("issuer", issuer)),
            kind=Kind(_text(found["kind"])),
            fingerprint=_bytes(found["id"]),
            reason=Reason(_text(found["reason"])),
            at=number_from_json(found["at"]),
            expires_at=None if until is None else whole_from_json(until),
            id=None if "name" not in found else _text(found["name"]),
            actor=None if "actor" not in found else _text(found["actor"]),
            lifts=tuple(map(_bytes, lifts)),
            proof=_bytes(found.get("proof", "")),
        )
    except (KeyError, ValueError):
        raise EncodingError("not an entry") from None


def watermark_to_json(mark: Watermark) -> list[Any]:
    """Return a watermark as a JSON array."""
    return [mark.epoch, mark.seq, b64url_encode(mark.tag)]


def watermark_from_json(found: object) -> Watermark:
    """Return the watermark in a JSON array; ``EncodingError`` if there is none."""
    if type(found) is not list or len(found) != len(Watermark._fields):
        raise EncodingError("not a watermark")
    epoch, seq, tag = found
    position = Position(whole_from_json(epoch), whole_from_json(seq))
    return Watermark(*position, _bytes(tag))


def whole_from_json(found: object) -> int:
    """Return a whole number that is not negative and fits into 63 bits."""
    if type(found) is not int or not 0 <= found < _LARGEST:
        raise EncodingError("not a whole number in range")
    return found


def number_from_json(found: object) -> float:
    """Return a number of a size that a time can have."""
    if type(found) not in {int, float} or not abs(found) < _LARGEST:  # type: ignore[arg-type]  # one of the two
        raise EncodingError("not a number in range")
    return float(found)  # type: ignore[arg-type]  # the same


def _text(found: object) -> str:
    if type(found) is not str:
        raise EncodingError("not a string")
    return found


def _bytes(found: object) -> bytes:
    data = b64url_decode(_text(found))
    if len(data) > _MOST_BYTES:
        raise EncodingError("too long")
    return data
