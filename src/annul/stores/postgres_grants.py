"""The grants of a verifier's role for the store that a PostgreSQL URL names."""

from __future__ import annotations

from annul.stores.postgres_schema import replica_grants as grants
from annul.stores.postgres_url import address_from_url

__all__ = ["replica_grants"]


def replica_grants(url: str, user: str) -> str:
    """Return the SQL that lets a role do what a replica does; see ``postgres_schema``."""
    return grants(address_from_url(url).schema, user)
