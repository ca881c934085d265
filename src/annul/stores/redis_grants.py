"""What the user of a verifier must be allowed in Redis, and nothing that it need not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from annul.stores.redis_scripts import key
from annul.stores.redis_url import address_from_url

if TYPE_CHECKING:
    from annul.stores.redis_url import Address

__all__ = ["replica_grants", "replica_rules"]

_READS = ("meta", "log", "bell")
_WRITES = ("leases", "seen", "inbox")
_COMMANDS = (
    *("evalsha", "eval", "exists", "get", "set", "hget", "hset", "hdel", "hmget", "hlen"),
    *("hsetnx", "time", "xrange", "xread"),
)
_ON_SEVERAL_NODES = ("role", "wait")
_IN_A_CLUSTER = ("cluster|nodes",)


def replica_rules(address: Address) -> str:
    """Return the ACL rules that let a user do what a replica does, and nothing else.

    It reads the log and the public keys, and writes leases and offers. It reads neither the sealed
    keys nor a session, and writes neither an entry nor a key. Redis 6.2 does not know ``%R~``.
    """
    commands = [*_COMMANDS]
    if address.via:
        commands += _ON_SEVERAL_NODES
    if address.via == "cluster":
        commands += _IN_A_CLUSTER
    return " ".join(
        [
            "resetchannels",
            *(f"%R~{key(address.prefix, name)}" for name in _READS),
            *(f"~{key(address.prefix, name)}" for name in _WRITES),
            "-@all",
            *(f"+{command}" for command in commands),
        ]
    )


def replica_grants(url: str, user: str) -> str:
    """Return the line of an ACL file for a user; it has no password yet, so nobody can be it."""
    return f"user {user} on {replica_rules(address_from_url(url))}\n"
