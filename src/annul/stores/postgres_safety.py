"""Whether a PostgreSQL server keeps what it has acknowledged, and what to change if it does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from annul.errors import Misconfigured, UnsafeStore
from annul.stores.postgres_standbys import danger_of
from annul.stores.postgres_wire import Statement

if TYPE_CHECKING:
    from collections.abc import Callable

    from annul.stores.postgres_url import Address
    from annul.stores.postgres_wire import Answer

__all__ = [
    "Facts",
    "check_commit",
    "check_durable",
    "check_place",
    "check_renewal",
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
        current_setting('fsync'), current_setting('full_page_writes'),
        current_setting('synchronous_commit'), current_setting('synchronous_standby_names'),
        (SELECT coalesce(json_agg(coalesce(application_name, ''))::text, '[]')
            FROM pg_stat_replication AS follower
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
    fsync: str
    full_page_writes: str
    synchronous_commit: str
    synchronous_standby_names: str
    followers: str
    unlogged: int
    search_path: str


# Each is true of a server that loses what it acknowledged.
_DANGERS: tuple[tuple[Callable[[Facts], bool], str], ...] = (
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


def check_durable(facts: Facts, address: Address) -> None:
    """Raise ``UnsafeStore`` for a server that loses acknowledged revocations, with all reasons."""
    reasons = [reason for is_true, reason in _DANGERS if is_true(facts)]
    danger = danger_of(
        facts.synchronous_standby_names,
        json.loads(facts.followers),
        address.promotion,
        several_hosts=len(address.hosts) > 1,
    )
    if danger is not None:
        reasons.append(danger)
    if reasons:
        reason = ". And: ".join(reasons)
        raise UnsafeStore(f"{address.place} would lose what it acknowledged: {reason}")


def check_commit(setting: str, standby_names: str, address: Address) -> None:
    """Raise ``UnsafeStore`` if the transaction that has begun will not be flushed where it must."""
    _check_flushed(setting, address)
    _check_awaited(standby_names, address, address.promotion)


def check_renewal(setting: str, standby_names: str, address: Address) -> None:
    """Raise ``UnsafeStore`` if nobody else has confirmed a lease that somebody else has to confirm.

    A URL with several hosts may lead to an old primary that knows of no standby any more. It must
    keep nobody fresh, and its own commits prove nothing.
    """
    _check_flushed(setting, address)
    _check_awaited(standby_names, address, "confirmed")


def _check_flushed(setting: str, address: Address) -> None:
    if setting not in _FLUSHED:
        raise UnsafeStore(
            f"{address.place} has not kept synchronous_commit = on for this session: {_CURE}"
        )


def _check_awaited(standby_names: str, address: Address, promotion: str) -> None:
    danger = danger_of(standby_names, (), promotion, several_hosts=len(address.hosts) > 1)
    if danger is not None:
        raise UnsafeStore(f"{address.place} would confirm what may be lost: {danger}")


def check_place(search_path: str, schema: str, place: str) -> None:
    """Raise ``Misconfigured`` if the transaction that has begun is in another schema."""
    if search_path.strip('"') != schema:
        raise Misconfigured(f"{place} has not kept search_path for this session: {_CURE}")
