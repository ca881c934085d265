"""How entries, sessions and leases look as text in Redis. Pure: no connection in sight.

Numbers are text inside the JSON, because Lua would round them. The order of an entry's fields is
that of ``redis_lua/_entry.lua``; the names of a session's are those that ``rotate.lua`` uses.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from annul.core.revocation import Kind, Position, Reason, Revocation, Watermark
from annul.core.session import Session
from annul.stores.base import Identity, Lease

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from annul.core.revocation import Fingerprinter
    from annul.stores.base import Draft

__all__ = [
    "begun_text",
    "claims_text",
    "covering_from",
    "entry_from",
    "entry_text",
    "identity_from",
    "lease_from",
    "lease_text",
    "position_from",
    "session_from",
    "text_of",
]

# Calling the class for each of a million entries would be a seventh of the work.
_kind, _reason = cache(Kind), cache(Reason)

_TEXTS = ("sid", "subject", "client_id", "scope", "device", "jkt", "handle_key")
_NUMBERS = ("created_at", "last_seen", "idle_ttl", "ends_at", "auth_time", "rotated_at")


def text_of(value: object) -> str:
    """Return a value as compact JSON. Text that has no UTF-8 form raises ``ValueError``."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    text.encode()  # here, and not when half a request has been written
    return text


def position_from(id_: bytes) -> Position:
    """Return the position that a stream id ``epoch-seq`` stands for."""
    epoch, _, seq = id_.partition(b"-")
    return Position(int(epoch), int(seq))


# --- entries --------------------------------------------------------------------------


def entry_text(draft: Draft) -> str:
    """Return a draft as it is kept in the log; its position will be the stream's id."""
    return text_of(
        [
            draft.tag.hex(),
            draft.issuer,
            draft.kind.value,
            draft.fingerprint.hex(),
            draft.reason.value,
            repr(draft.at),
            None if draft.expires_at is None else str(draft.expires_at),
            draft.id,
            draft.actor,
            "",  # what it lifts, which only the store knows
            draft.proof.hex(),
        ]
    )


def entry_from(id_: bytes, text: bytes) -> Revocation:
    """Return the entry that stands in the log at ``id_``."""
    tag, issuer, kind, mark, reason, at, expires_at, readable, actor, lifts, proof = json.loads(
        text
    )
    return Revocation(
        position=position_from(id_),
        tag=bytes.fromhex(tag),
        issuer=issuer,
        kind=_kind(kind),
        fingerprint=bytes.fromhex(mark),
        reason=_reason(reason),
        at=float(at),
        expires_at=None if expires_at is None else int(expires_at),
        id=readable,
        actor=actor,
        lifts=tuple(map(bytes.fromhex, lifts.split())),
        proof=bytes.fromhex(proof),
    )


def offer_line(entry: Revocation) -> str:
    """Return an entry as a line ``id entry``, which ``covering_from`` reads."""
    text = text_of(
        [
            entry.tag.hex(),
            entry.issuer,
            entry.kind.value,
            entry.fingerprint.hex(),
            entry.reason.value,
            repr(entry.at),
            None if entry.expires_at is None else str(entry.expires_at),
            entry.id,
            entry.actor,
            " ".join(tag.hex() for tag in entry.lifts),
            entry.proof.hex(),
        ]
    )
    return f"{id_of(entry.position)} {text}"


def id_of(position: Position) -> str:
    """Return a position as the stream has it."""
    return f"{position.epoch}-{position.seq}"


def covering_from(line: bytes) -> Revocation:
    """Return the entry of a line ``id entry`` of what is in force."""
    id_, _, text = line.partition(b" ")
    return entry_from(id_, text)


# --- sessions -------------------------------------------------------------------------


def begun_text(session: Session, fingerprint: Fingerprinter) -> str:
    """Return a session that is about to begin; the script adds where.

    It carries its own fingerprints, which Lua cannot compute, and ``began``: the authentication
    time as the denylist compares it.
    """
    row: dict[str, Any] = {name: getattr(session, name) for name in _TEXTS}
    for name in _NUMBERS:
        value = getattr(session, name)
        row[name] = None if value is None else repr(value)
    return text_of(
        row
        | {
            "family": session.family.hex(),
            "claims": claims_text(session.claims),
            "generation": str(session.generation),
            "confirmed": session.confirmed,
            "mark": fingerprint(Kind.SESSION, session.sid).hex(),
            "subject_mark": fingerprint(Kind.SUBJECT, session.subject).hex(),
            "client_mark": fingerprint(Kind.CLIENT, session.client_id).hex(),
            "began": None if session.auth_time is None else str(int(session.auth_time)),
        }
    )


def claims_text(claims: Mapping[str, Any]) -> str:
    """Return claims as the text that a session holds; Lua must not look into them."""
    return json.dumps(dict(claims), separators=(",", ":"))


def session_from(text: bytes) -> Session:
    """Return the session that a script has stored."""
    row = json.loads(text)
    fields: dict[str, Any] = {name: row[name] for name in _TEXTS}
    for name in _NUMBERS:
        fields[name] = None if row[name] is None else float(row[name])
    return Session(
        family=bytes.fromhex(row["family"]),
        since=Position(int(row["epoch"]), int(row["seq"])),
        as_of=Position(int(row["as_of_epoch"]), int(row["as_of_seq"])),
        claims=json.loads(row["claims"]),
        generation=int(row["generation"]),
        confirmed=row["confirmed"],
        **fields,
    )


# --- leases and identity --------------------------------------------------------------


def lease_text(lease: Lease) -> str:
    """Return a lease as it is kept in the table."""
    mark = lease.watermark
    held = None if mark is None else [mark.epoch, mark.seq, mark.tag.hex()]
    return text_of(
        [lease.id, held, lease.max_staleness, lease.label, lease.beat, list(lease.highest)]
    )


def lease_from(text: bytes) -> Lease:
    """Return a lease of the table."""
    id_, held, max_staleness, label, beat, highest = json.loads(text)
    mark = None if held is None else Watermark(held[0], held[1], bytes.fromhex(held[2]))
    return Lease(
        id=id_,
        watermark=mark,
        max_staleness=max_staleness,
        label=label,
        beat=beat,
        highest=Position(*highest),
    )


def identity_from(fields: Sequence[bytes]) -> Identity:
    """Return the identity out of ``meta``, in the order in which ``found.lua`` returns it."""
    issuer, lineage, horizon, longest_token, longest_session = (text.decode() for text in fields)
    return Identity(
        issuer=issuer,
        lineage=lineage,
        horizon=float(horizon),
        longest_token=int(longest_token),
        longest_session=int(longest_session),
    )
