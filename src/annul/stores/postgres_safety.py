"""Whether a PostgreSQL server keeps what it has acknowledged, and what to change if it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from annul.errors import Misconfigured, UnsafeStore
from annul.stores.postgres_wire import Statement

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.stores.postgres_wire import Answer

__all__ = [
    "Facts",
    "check_commits",
    "check_durable",
    "check_place",
    "check_usable",
    "facts_from",
    "question",
]

_OLDEST = 140_000
_CURE = "connect without a pooler that shares sessions"
_FLUSHED = frozenset({"on", "remote_apply"})

# What follows this server is in pg_stat_replication, with its name for every role to see.
# Subscribers to logical changes and copies that are being made are no standbys.
_QUESTION = """
    SELECT current_setting('server_version_num')::bigint, current_setting('server_encoding'),
        pg_is_in_recovery(), current_setting('fsync'), current_setting('full_page_writes'),
        current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
        (SELECT count(*) FROM pg_stat_replication AS follower
            WHERE coalesce(application_name, '') NOT IN ('pg_basebackup', 'pg_receivewal')
            AND NOT EXISTS (SELECT 1 FROM pg_replication_slots
                WHERE active_pid = follower.pid AND slot_type = 'logical')),
        (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace($1)
            AND relkind = 'r' AND relpersistence <> 'p'),
        current_setting('search_path')
"""


class Facts(NamedTuple):
    """What the server has answered to ``question``."""

    version: int
    encoding: str
    in_recovery: bool
    fsync: str
    full_page_writes: str
    synchronous_commit: str
    synchronous_standby_names: str
    standbys: int
    unlogged: int
    search_path: str


# Each is true of a server that loses what it acknowledged.
_DANGERS: tuple[tuple[Callable[[Facts], bool], str], ...] = (
    (
        lambda facts: facts.in_recovery,
        "it is a standby, and its primary may not have what it has; name the primary",
    ),
    (
        lambda facts: facts.fsync != "on",
        "a power cut can destroy the database; set fsync = on",
    ),
    (
        lambda facts: facts.full_page_writes != "on",
        "a power cut can tear pages; set full_page_writes = on",
    ),
    (
        lambda facts: facts.synchronous_commit not in _FLUSHED,
        f"commits are not flushed; {_CURE}",
    ),
    (
        lambda facts: facts.standbys > 0 and not facts.synchronous_standby_names.strip(),
        "a standby may take over without its entries; set synchronous_standby_names",
    ),
    (
        lambda facts: facts.unlogged > 0,
        "a crash empties unlogged tables; ALTER TABLE … SET LOGGED",
    ),
)


def question(schema: str) -> Statement:
    """Return what to ask the server; ``facts_from`` takes the answer."""
    return Statement(_QUESTION, (schema,))


def facts_from(answer: Answer) -> Facts:
    """Return what the answer to ``question`` says."""
    (row,) = answer.rows
    return Facts(*row)


def check_usable(facts: Facts, place: str) -> None:
    """Raise ``Misconfigured`` for a server or a database that cannot hold a store."""
    if facts.version < _OLDEST:
        major = facts.version // 10_000
        raise Misconfigured(f"{place} runs PostgreSQL {major}; annul needs 14 or newer")
    if facts.encoding != "UTF8":
        raise Misconfigured(
            f"{place} is encoded in {facts.encoding}; make a database WITH ENCODING 'UTF8'"
        )


def check_durable(facts: Facts, place: str) -> None:
    """Raise ``UnsafeStore`` for a server that loses acknowledged revocations, with all reasons."""
    reasons = [reason for is_true, reason in _DANGERS if is_true(facts)]
    if reasons:
        raise UnsafeStore(f"{place} would lose what it acknowledged: {'. And: '.join(reasons)}")


def check_commits(setting: str, place: str) -> None:
    """Raise ``UnsafeStore`` if the transaction that has begun will not be flushed."""
    if setting not in _FLUSHED:
        raise UnsafeStore(f"{place} has not kept synchronous_commit = on for this session: {_CURE}")


def check_place(search_path: str, schema: str, place: str) -> None:
    """Raise ``Misconfigured`` if the transaction that has begun is in another schema."""
    if search_path.strip('"') != schema:
        raise Misconfigured(f"{place} has not kept search_path for this session: {_CURE}")
