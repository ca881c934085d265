"""The statements of the PostgreSQL store, and what it reads first in every transaction. Pure."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from annul.core.revocation import Position, Revocation
from annul.stores import sql
from annul.stores.postgres_wire import Statement
from annul.stores.rules import FURTHEST_AHEAD

if TYPE_CHECKING:
    from annul.core.session import Session
    from annul.stores.base import Identity

__all__ = ["Head", "head_from", "numbered"]


def numbered(text: str) -> str:
    """Return a shared statement with its places numbered, as PostgreSQL wants them."""
    numbers = itertools.count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", text)


# A reader sees one moment; a writer sees, after it has got its lock, what is committed by then.
BEGIN_READING = Statement("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
BEGIN = Statement("BEGIN ISOLATION LEVEL READ COMMITTED")

# --- the head ---------------------------------------------------------------------------

# Another server has another number, and one that was promoted or set back another time line. Both
# may lack what the row has once stood for. ``annul.server`` is of the session: see ``Wire``.
INCARNATION = (
    "(current_setting('annul.server') || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8))"
)
_HEAD = (
    "SELECT schema_version, issuer, lineage, horizon, longest_token, longest_session, epoch, seq,"
    " tag, genesis, pruned,"
    " greatest(time, extract(epoch FROM clock_timestamp())::double precision), keys_version,"
    " current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),"
    " current_setting('search_path'), {promoted}"
    " FROM identity"
)
# Readers append nothing, so it does not concern them.
HEAD = Statement(_HEAD.format(promoted="false"))
_WRITERS_HEAD = _HEAD.format(promoted=f"incarnation <> {INCARNATION}")
HEAD_FOR_WRITING = Statement(_WRITERS_HEAD)
# Nothing else may be read in this statement: while it waits for the lock, it would not see what
# the one before is committing.
LOCK_HEAD = Statement(_WRITERS_HEAD + " FOR UPDATE")
HIGHEST = Statement(sql.SELECT_HIGHEST)


class Head(NamedTuple):
    """The row of ``identity``, as it is while a transaction runs.

    ``promoted`` if another server wrote to it before this one, which therefore has to open a new
    epoch first. A reader is not told.
    """

    schema_version: int
    identity: Identity
    position: Position
    tag: bytes
    genesis: bytes
    pruned: int
    now: float
    keys_version: int
    synchronous_commit: str
    standby_names: str
    search_path: str
    promoted: bool


def head_from(row: tuple[Any, ...]) -> Head:
    """Return the head of a row of ``HEAD``."""
    return Head(row[0], sql.identity_from(row[1:6]), Position(row[6], row[7]), *row[8:])


# --- the log ----------------------------------------------------------------------------

_INSERT_ENTRY = numbered(sql.INSERT_ENTRY)
_BY_TAGS = sql.SELECT_BY_TAG.replace("tag = ?", "tag = ANY($1)")
_COVERING = sql.SELECT_COVERING.replace("IN (?, ?, ?, ?)", "= ANY($1)")
_AFTER = numbered(sql.SELECT_AFTER)
OPEN_EPOCH = f"{numbered(sql.OPEN_EPOCH)}, incarnation = {INCARNATION}"
NOWHERE = Position(-1, 0)
"""Before every position."""
MOVE_HEAD = "UPDATE identity SET seq = $1, tag = $2"


def insert_entry(entry: Revocation) -> Statement:
    """Return the statement that writes an entry."""
    return Statement(_INSERT_ENTRY, sql.entry_row(entry))


def by_tags(tags: list[bytes]) -> Statement:
    """Ask for the entries with these tags."""
    return Statement(_BY_TAGS, (tags,))


def covering(marks: list[bytes]) -> Statement:
    """Ask for the entries with these fingerprints."""
    return Statement(_COVERING, (marks,))


def after(position: Position, limit: int) -> Statement:
    """Ask for the entries after a position."""
    return Statement(_AFTER, (*position, limit))


# --- sessions ---------------------------------------------------------------------------

_INSERT_SESSION = numbered(sql.INSERT_SESSION)
_ADVANCE_SESSION = numbered(sql.ADVANCE_SESSION)
LOCK_FAMILY = f"{sql.SELECT_SESSION} WHERE family = $1 FOR UPDATE"
CONFIRM = "UPDATE sessions SET confirmed = 1 WHERE sid = $1 AND generation = $2"
# Losing this one only makes a retry welcome for longer.
RELAXED = Statement("SET LOCAL synchronous_commit TO OFF")


def one_session(column: str, value: str | bytes) -> Statement:
    """Ask for the session with this value in one column."""
    return Statement(f"{sql.SELECT_SESSION} WHERE {column} = $1", (value,))


def page_of_sessions(where: str, value: str, beyond: str, limit: int) -> Statement:
    """Ask for sessions for which a condition of ``sql.ENDS`` holds, those beyond one ``sid``."""
    condition = where.replace("?", "$1")
    text = f"{sql.SELECT_SESSION} WHERE {condition} AND sid > $2 ORDER BY sid LIMIT $3"
    return Statement(text, (value, beyond, limit))


def insert_session(session: Session) -> Statement:
    """Return the statement that writes a new session."""
    return Statement(_INSERT_SESSION, sql.session_row(session))


def advance_session(session: Session, now: float) -> Statement:
    """Return the statement that writes a rotation that nobody has heard of yet."""
    return Statement(_ADVANCE_SESSION, sql.advance_row(session, now, confirmed=False))


# --- leases and offers ------------------------------------------------------------------

# Only into a store that has been founded, and is the one that is meant.
RENEW = """
    WITH before AS (SELECT beat FROM leases WHERE id = $1)
    INSERT INTO leases
    SELECT $1, $2::bigint, $3::bigint, $4::bytea, $5::double precision, $6, $7::bigint,
        $8::bigint, $9::bigint
    FROM identity WHERE issuer = coalesce($10::text, issuer) AND schema_version = $11::bigint
    ON CONFLICT (id) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, tag = excluded.tag,
        max_staleness = excluded.max_staleness, label = excluded.label, beat = excluded.beat,
        highest_epoch = excluded.highest_epoch, highest_seq = excluded.highest_seq
    RETURNING (SELECT beat FROM before), current_setting('synchronous_commit'),
        current_setting('synchronous_standby_names')
"""
# One that has seen what the log has no more stays until an epoch has been opened: see rules.behind.
_PROVES_NO_LOSS = f"""NOT EXISTS (SELECT 1 FROM identity
    WHERE (leases.highest_epoch, leases.highest_seq) > (identity.epoch, identity.seq)
    AND leases.highest_epoch <= {FURTHEST_AHEAD} + greatest(
        identity.epoch, identity.time, extract(epoch FROM clock_timestamp())))"""  # noqa: S608 - constants
RELEASE = f"DELETE FROM leases WHERE id = $1 AND {_PROVES_NO_LOSS}"  # noqa: S608 - constants
EXPEL = f"DELETE FROM leases WHERE id = $1 AND beat = $2 AND {_PROVES_NO_LOSS}"  # noqa: S608
LEASES = Statement(sql.SELECT_LEASES)

# One at a time, so that the inbox is not filled beyond its brim.
ONE_OFFERER = "SELECT pg_advisory_xact_lock(1634627180, hashtext($1))"
COUNT_OFFERS = Statement("SELECT count(tag) FROM offers")
_INSERT_OFFER = (
    numbered(sql.INSERT_OFFER).replace("INSERT OR IGNORE", "INSERT") + " ON CONFLICT DO NOTHING"
)
OFFERS = Statement(sql.SELECT_OFFERS)
SETTLE = "DELETE FROM offers WHERE tag = ANY($1)"


def insert_offer(entry: Revocation) -> Statement:
    """Return the statement that lays an entry into the inbox."""
    return Statement(_INSERT_OFFER, sql.entry_row(entry))


# --- keys and housekeeping --------------------------------------------------------------

RING = Statement("SELECT keys_version, ring, jwks FROM identity")
KEYS = Statement("SELECT keys_version, jwks FROM identity")
SWAP_RING = "UPDATE identity SET keys_version = $1, ring = $2, jwks = $3"
GROW_IDENTITY = numbered(sql.GROW_IDENTITY).replace("max(", "greatest(")
MOVE_TIME = "UPDATE identity SET time = greatest(time, $1)"
DELETE_ENDED = numbered(sql.DELETE_ENDED)
EXPIRED = numbered(sql.SELECT_EXPIRED)
FORGET = "DELETE FROM log WHERE tag = ANY($1)"
_DELETE_COVERED = (
    "DELETE FROM sessions WHERE sid IN (SELECT sid FROM sessions WHERE ($1 = 'session'"
    " OR (since_epoch, since_seq) < ($2, $3) OR trunc(auth_time) <= $4)"
)
MOVE_PRUNED = "UPDATE identity SET pruned = greatest(pruned, $1)"


def delete_covered(entry: Revocation, ends: str, limit: int) -> Statement:
    """Return the statement that drops some of the sessions an entry covers."""
    condition = ends.replace("?", "$5")
    text = f"{_DELETE_COVERED} AND {condition} LIMIT $6)"
    return Statement(text, (entry.kind.value, *entry.position, entry.at, entry.id or "", limit))
