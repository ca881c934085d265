"""The tables of a store: how they come about, and who may do what with them."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from annul.errors import WrongStore
from annul.stores import postgres_sql as statements
from annul.stores import sql
from annul.stores.postgres_wire import COMMIT, Statement

if TYPE_CHECKING:
    from annul.stores.base import Identity
    from annul.stores.postgres_url import Address
    from annul.stores.postgres_wire import Wire

__all__ = ["EMPTY_JWKS", "SCHEMA_VERSION", "check_version", "found", "replica_grants"]

_FOLDER = Path(__file__).parent / "postgres_migrations"
_MIGRATIONS = tuple(sorted(path.name for path in _FOLDER.glob("[0-9]*.sql")))
SCHEMA_VERSION = len(_MIGRATIONS)
"""The version that these migrations lead to; an empty schema has version 0."""

EMPTY_JWKS = '{"keys":[]}'

_ONE_FOUNDER = "SELECT pg_advisory_xact_lock(1634627181, hashtext($1))"
_WHAT_IS_THERE = "SELECT to_regnamespace($1) IS NOT NULL, to_regclass('identity') IS NOT NULL"
_VERSION = Statement("SELECT schema_version FROM identity")
_MOVE_VERSION = "UPDATE identity SET schema_version = $1"
_INSERT_IDENTITY = f"""
    INSERT INTO identity (only_row, schema_version, issuer, lineage, horizon, longest_token,
        longest_session, epoch, seq, tag, genesis, pruned, time, keys_version, ring, jwks,
        incarnation)
    VALUES (1, $1, $2, $3, $4, $5, $6, $7, 0, $8, $8, 0, 0, 0, '', $9, {statements.INCARNATION})
    ON CONFLICT DO NOTHING
"""  # noqa: S608 - constants
_IDENTITY = Statement(sql.SELECT_IDENTITY)

_REPLICA_GRANTS = """\
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT (schema_version, issuer, lineage, horizon, longest_token, longest_session,
    epoch, seq, tag, genesis, pruned, time, keys_version, jwks) ON {schema}.identity TO {role};
GRANT SELECT ON {schema}.log TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON {schema}.leases TO {role};
GRANT SELECT (tag), INSERT ON {schema}.offers TO {role};
"""


def replica_grants(schema: str, role: str) -> str:
    """Return the SQL that lets a role do what a replica does, and nothing else.

    It reads the log and the public keys, and writes leases and offers. It reads neither the sealed
    keys nor a session, and writes neither an entry nor a key.
    """
    return _REPLICA_GRANTS.format(schema=schema, role=role)


def check_version(version: int, place: str) -> None:
    """Raise ``WrongStore`` for tables of a newer annul."""
    if version > SCHEMA_VERSION:
        raise WrongStore(
            f"the store at {place} was made by a newer annul (schema {version}, this one knows"
            f" {SCHEMA_VERSION}): upgrade annul"
        )


async def found(wire: Wire, address: Address, identity: Identity, now: float) -> Identity:
    """Make the tables or bring them up to date, found the store, grow its limits; commit."""
    _, _, there = await wire.exchange(
        statements.BEGIN,
        Statement(_ONE_FOUNDER, (address.schema,)),
        Statement(_WHAT_IS_THERE, (address.schema,)),
    )
    has_schema, has_tables = there.rows[0]
    version = 0
    if has_tables:
        (answer,) = await wire.exchange(_VERSION)
        version = answer.rows[0][0] if answer.rows else SCHEMA_VERSION
        check_version(version, address.place)
    changes = [] if has_schema else [Statement(f"CREATE SCHEMA {address.schema}")]
    changes += [part for name in _MIGRATIONS[version:] for part in _migration(name)]
    if has_tables and version < SCHEMA_VERSION:
        changes.append(Statement(_MOVE_VERSION, (SCHEMA_VERSION,)))
    *_, recorded = await wire.exchange(*changes, _founding(identity, now), _IDENTITY)
    known = sql.identity_from(recorded.rows[0])
    if known.issuer != identity.issuer:
        raise WrongStore(
            f"this schema at {address.place} belongs to the issuer {known.issuer}; add"
            " ?schema=name to the URL"
        )
    limits = (identity.horizon, identity.longest_token, identity.longest_session)
    _, grown, _ = await wire.exchange(
        Statement(statements.GROW_IDENTITY, limits), _IDENTITY, COMMIT
    )
    return sql.identity_from(grown.rows[0])


def _founding(identity: Identity, now: float) -> Statement:
    values = (
        SCHEMA_VERSION,
        identity.issuer,
        identity.lineage,
        identity.horizon,
        identity.longest_token,
        identity.longest_session,
        int(now),
        identity.lineage.encode(),
        EMPTY_JWKS,
    )
    return Statement(_INSERT_IDENTITY, values)


@cache
def _migration(name: str) -> tuple[Statement, ...]:
    text = (_FOLDER / name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("--")]
    parts = "\n".join(lines).split(";")
    return tuple(Statement(part.strip()) for part in parts if part.strip())
