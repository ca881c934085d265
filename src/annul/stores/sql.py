"""Tables, statements and row mapping that SQL backends share. Pure: no connection in sight.

Times are Unix seconds as REAL, fingerprints and tags are BLOBs, positions are two integers.
``log.id`` is the readable identifier, kept beside its fingerprint for people.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from annul.core.revocation import Kind, Position, Reason, Revocation, Watermark
from annul.core.session import Session
from annul.stores.base import Identity, Lease
from annul.stores.rules import FURTHEST_AHEAD, expiry_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from annul.core.denylist import Facts
    from annul.stores.base import Draft

# Calling the class for each of a million rows would be a fifth of the work.
_kind, _reason = cache(Kind), cache(Reason)

_FIRST_SCHEMA = (
    """CREATE TABLE identity (
        only_row INTEGER PRIMARY KEY CHECK (only_row = 1),
        issuer TEXT NOT NULL, lineage TEXT NOT NULL, horizon REAL NOT NULL,
        longest_token INTEGER NOT NULL, longest_session INTEGER NOT NULL,
        epoch INTEGER NOT NULL, seq INTEGER NOT NULL, tag BLOB NOT NULL,
        genesis BLOB NOT NULL, pruned INTEGER NOT NULL, time REAL NOT NULL,
        keys_version INTEGER NOT NULL, ring TEXT NOT NULL, jwks TEXT NOT NULL)""",
    """CREATE TABLE log (
        epoch INTEGER NOT NULL, seq INTEGER NOT NULL, tag BLOB NOT NULL UNIQUE,
        issuer TEXT NOT NULL, kind TEXT NOT NULL, fingerprint BLOB NOT NULL,
        reason TEXT NOT NULL, at REAL NOT NULL, expires_at INTEGER,
        id TEXT, actor TEXT, lifts TEXT NOT NULL,
        PRIMARY KEY (epoch, seq))""",
    "CREATE INDEX log_by_fingerprint ON log (fingerprint)",
    "CREATE INDEX log_by_expiry ON log (expires_at)",
    """CREATE TABLE sessions (
        sid TEXT PRIMARY KEY, family BLOB NOT NULL UNIQUE,
        subject TEXT NOT NULL, client_id TEXT NOT NULL,
        since_epoch INTEGER NOT NULL, since_seq INTEGER NOT NULL,
        created_at REAL NOT NULL, last_seen REAL NOT NULL,
        idle_ttl REAL NOT NULL, ends_at REAL NOT NULL,
        scope TEXT NOT NULL, claims TEXT NOT NULL, device TEXT, auth_time REAL, jkt TEXT,
        generation INTEGER NOT NULL, handle_key TEXT NOT NULL,
        rotated_at REAL, confirmed INTEGER NOT NULL)""",
    "CREATE INDEX sessions_by_subject ON sessions (subject, created_at)",
    "CREATE INDEX sessions_by_client ON sessions (client_id)",
    "CREATE INDEX sessions_by_end ON sessions (ends_at)",
    """CREATE TABLE leases (
        id TEXT PRIMARY KEY, epoch INTEGER, seq INTEGER, tag BLOB,
        max_staleness REAL NOT NULL, label TEXT NOT NULL)""",
)

_SECOND_SCHEMA = (
    "ALTER TABLE log ADD COLUMN proof BLOB NOT NULL DEFAULT x''",
    "ALTER TABLE leases ADD COLUMN beat INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE leases ADD COLUMN highest_epoch INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE leases ADD COLUMN highest_seq INTEGER NOT NULL DEFAULT 0",
    """CREATE TABLE offers (
        epoch INTEGER NOT NULL, seq INTEGER NOT NULL, tag BLOB PRIMARY KEY,
        issuer TEXT NOT NULL, kind TEXT NOT NULL, fingerprint BLOB NOT NULL,
        reason TEXT NOT NULL, at REAL NOT NULL, expires_at INTEGER,
        id TEXT, actor TEXT, lifts TEXT NOT NULL, proof BLOB NOT NULL)""",
)

_THIRD_SCHEMA = (
    "ALTER TABLE sessions ADD COLUMN as_of_epoch INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sessions ADD COLUMN as_of_seq INTEGER NOT NULL DEFAULT 0",
    "UPDATE sessions SET as_of_epoch = since_epoch, as_of_seq = since_seq",
)

MIGRATIONS = (_FIRST_SCHEMA, _SECOND_SCHEMA, _THIRD_SCHEMA)
"""What brings a database from one schema version to the next; an empty one has version 0."""

SCHEMA_VERSION = len(MIGRATIONS)

_LOG = "epoch, seq, tag, issuer, kind, fingerprint, reason, at, expires_at, id, actor, lifts, proof"
_SESSION = (
    "sid, family, subject, client_id, since_epoch, since_seq, created_at, last_seen, idle_ttl,"
    " ends_at, scope, claims, device, auth_time, jkt, generation, handle_key, rotated_at,"
    " confirmed, as_of_epoch, as_of_seq"
)

INSERT_ENTRY = f"INSERT INTO log ({_LOG}) VALUES ({', '.join('?' * 13)})"  # noqa: S608 - constants
INSERT_OFFER = f"INSERT OR IGNORE INTO offers ({_LOG}) VALUES ({', '.join('?' * 13)})"  # noqa: S608
SELECT_OFFERS = f"SELECT {_LOG} FROM offers ORDER BY epoch, seq"  # noqa: S608 - constants
SELECT_LOG = f"SELECT {_LOG} FROM log ORDER BY epoch, seq"  # noqa: S608 - constants
SELECT_AFTER = f"SELECT {_LOG} FROM log WHERE (epoch, seq) > (?, ?) ORDER BY epoch, seq LIMIT ?"  # noqa: S608
SELECT_BY_TAG = f"SELECT {_LOG} FROM log WHERE tag = ?"  # noqa: S608 - constants
SELECT_COVERING = f"SELECT {_LOG} FROM log WHERE fingerprint IN (?, ?, ?, ?)"  # noqa: S608
INSERT_SESSION = f"INSERT INTO sessions ({_SESSION}) VALUES ({', '.join('?' * 21)})"  # noqa: S608 - constants
SELECT_SESSION = f"SELECT {_SESSION} FROM sessions "  # noqa: S608 - constants
ADVANCE_SESSION = (
    "UPDATE sessions SET generation = ?, handle_key = ?, rotated_at = ?, last_seen = ?,"
    " confirmed = ?, claims = ?, as_of_epoch = ?, as_of_seq = ? WHERE sid = ?"
)
INSERT_LEASE = "INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
# One that has seen what the log has no more stays until an epoch has been opened: see rules.behind.
_PROVES_NO_LOSS = f"""NOT EXISTS (SELECT 1 FROM identity
    WHERE (leases.highest_epoch, leases.highest_seq) > (identity.epoch, identity.seq)
    AND leases.highest_epoch <= max(identity.epoch, time, ?) + {FURTHEST_AHEAD})"""  # noqa: S608 - constants
RELEASE_LEASE = f"DELETE FROM leases WHERE id = ? AND {_PROVES_NO_LOSS}"  # noqa: S608 - constants
EXPEL_LEASE = f"DELETE FROM leases WHERE id = ? AND beat = ? AND {_PROVES_NO_LOSS}"  # noqa: S608
SELECT_LEASES = (
    "SELECT id, epoch, seq, tag, max_staleness, label, beat, highest_epoch, highest_seq"
    " FROM leases ORDER BY id"
)
SELECT_HIGHEST = (
    "SELECT highest_epoch, highest_seq FROM leases"
    " ORDER BY highest_epoch DESC, highest_seq DESC LIMIT 1"
)
OPEN_EPOCH = "UPDATE identity SET epoch = ?, seq = 0, tag = ?, genesis = ?, pruned = 0"
GROW_IDENTITY = (
    "UPDATE identity SET horizon = max(horizon, ?), longest_token = max(longest_token, ?),"
    " longest_session = max(longest_session, ?)"
)
INSERT_IDENTITY = "INSERT INTO identity VALUES (1, ?, ?, ?, ?, ?, ?, 0, ?, ?, 0, 0, 0, '', ?)"
SELECT_IDENTITY = "SELECT issuer, lineage, horizon, longest_token, longest_session FROM identity"

DELETE_ENDED = (
    "DELETE FROM sessions WHERE sid IN"
    " (SELECT sid FROM sessions WHERE ends_at <= (SELECT time FROM identity) LIMIT ?)"
)
# The head stays, so that its watermark can still be recognised.
SELECT_EXPIRED = (
    f"SELECT {_LOG} FROM log WHERE expires_at < (SELECT time FROM identity)"  # noqa: S608 - constants
    " AND tag <> (SELECT tag FROM identity) LIMIT ?"
)
# Before an entry is forgotten, the sessions it covers are: the rules of Denylist.find. Followed by
# the condition of its kind.
DELETE_COVERED = (
    "DELETE FROM sessions WHERE (? = 'session' OR (since_epoch, since_seq) < (?, ?)"
    " OR CAST(auth_time AS INTEGER) <= ?) AND "
)

# What a revocation of a kind ends, as a condition on sessions; other kinds end none.
ENDS = {
    Kind.SESSION: "sid = ?",
    Kind.SUBJECT: "subject = ?",
    Kind.BLOCK: "subject = ?",
    Kind.CLIENT: "client_id = ?",
    Kind.ISSUER: "? = ''",
}


def entry_of(
    draft: Draft, position: Position, lifts: tuple[bytes, ...], identity: Identity, now: float
) -> Revocation:
    """Return the log entry that a draft becomes at ``position`` and at store time ``now``."""
    return Revocation(
        position=position,
        tag=draft.tag,
        issuer=draft.issuer,
        kind=draft.kind,
        fingerprint=draft.fingerprint,
        reason=draft.reason,
        at=draft.at,
        expires_at=expiry_of(draft, identity, now),
        id=draft.id,
        actor=draft.actor,
        lifts=lifts,
        proof=draft.proof,
    )


def entry_row(entry: Revocation) -> tuple[Any, ...]:
    """Return the values of ``INSERT_ENTRY``."""
    return (
        entry.position.epoch,
        entry.position.seq,
        entry.tag,
        entry.issuer,
        entry.kind.value,
        entry.fingerprint,
        entry.reason.value,
        entry.at,
        entry.expires_at,
        entry.id,
        entry.actor,
        " ".join(tag.hex() for tag in entry.lifts),
        entry.proof,
    )


def entry_from(row: tuple[Any, ...]) -> Revocation:
    """Return the entry of a ``log`` row."""
    epoch, seq, tag, issuer, kind, mark, reason, at, expires_at, id_, actor, lifts, proof = row
    return Revocation(
        position=Position(epoch, seq),
        tag=bytes(tag),
        issuer=issuer,
        kind=_kind(kind),
        fingerprint=bytes(mark),
        reason=_reason(reason),
        at=at,
        expires_at=expires_at,
        id=id_,
        actor=actor,
        lifts=tuple(map(bytes.fromhex, lifts.split())),
        proof=bytes(proof),
    )


def session_row(session: Session) -> tuple[Any, ...]:
    """Return the values of ``INSERT_SESSION``."""
    return (
        session.sid,
        session.family,
        session.subject,
        session.client_id,
        session.since.epoch,
        session.since.seq,
        session.created_at,
        session.last_seen,
        session.idle_ttl,
        session.ends_at,
        session.scope,
        claims_text(session.claims),
        session.device,
        session.auth_time,
        session.jkt,
        session.generation,
        session.handle_key,
        session.rotated_at,
        int(session.confirmed),
        session.as_of.epoch,
        session.as_of.seq,
    )


def advance_row(session: Session, now: float, *, confirmed: bool) -> tuple[Any, ...]:
    """Return the values of ``ADVANCE_SESSION`` for a session that was rotated at ``now``."""
    return (
        session.generation,
        session.handle_key,
        now,
        session.last_seen,
        int(confirmed),
        claims_text(session.claims),
        session.as_of.epoch,
        session.as_of.seq,
        session.sid,
    )


def session_from(row: tuple[Any, ...]) -> Session:
    """Return the session of a ``sessions`` row."""
    (sid, family, subject, client_id, epoch, seq, created_at, last_seen, idle_ttl, ends_at) = row[
        :10
    ]
    scope, claims, device, auth_time, jkt, generation, handle_key, rotated_at, confirmed = row[
        10:19
    ]
    return Session(
        sid=sid,
        family=bytes(family),
        subject=subject,
        client_id=client_id,
        since=Position(epoch, seq),
        created_at=created_at,
        last_seen=last_seen,
        idle_ttl=idle_ttl,
        ends_at=ends_at,
        scope=scope,
        claims=json.loads(claims),
        device=device,
        auth_time=auth_time,
        jkt=jkt,
        generation=generation,
        handle_key=handle_key,
        rotated_at=rotated_at,
        confirmed=bool(confirmed),
        as_of=Position(*row[19:]),
    )


def lease_row(lease: Lease) -> tuple[Any, ...]:
    """Return the values of a ``leases`` row."""
    mark = lease.watermark or (None, None, None)
    return (lease.id, *mark, lease.max_staleness, lease.label, lease.beat, *lease.highest)


def lease_from(row: tuple[Any, ...]) -> Lease:
    """Return the lease of a ``SELECT_LEASES`` row."""
    id_, epoch, seq, tag, max_staleness, label, beat, *highest = row
    return Lease(
        id=id_,
        watermark=None if tag is None else Watermark(epoch, seq, bytes(tag)),
        max_staleness=max_staleness,
        label=label,
        beat=beat,
        highest=Position(*highest),
    )


def identity_from(row: tuple[Any, ...]) -> Identity:
    """Return the identity of a ``SELECT_IDENTITY`` row."""
    issuer, lineage, horizon, longest_token, longest_session = row
    return Identity(
        issuer=issuer,
        lineage=lineage,
        horizon=horizon,
        longest_token=longest_token,
        longest_session=longest_session,
    )


def claims_text(claims: Mapping[str, Any]) -> str:
    """Return claims as JSON text."""
    return json.dumps(dict(claims), separators=(",", ":"))


def covering_marks(facts: Facts) -> tuple[bytes | None, ...]:
    """Return the values of ``SELECT_COVERING`` for a session's facts."""
    return facts.session, facts.subject, facts.client, facts.issuer
