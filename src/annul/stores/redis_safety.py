"""Whether a Redis server keeps what it has acknowledged, and what to change if it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from annul.errors import Misconfigured, UnsafeStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from annul.stores.redis_lane import Command
    from annul.stores.redis_url import Address, Host

    Facts = dict[str, str]

__all__ = [
    "QUESTIONS",
    "can_tell_synced",
    "check_durable",
    "check_others",
    "check_usable",
    "facts_from",
]

QUESTIONS: tuple[Command, ...] = (
    ("INFO",),
    ("CONFIG", "GET", "appendfsync"),
    ("CONFIG", "GET", "no-appendfsync-on-rewrite"),
)
"""What to ask the server; ``facts_from`` takes the answers. One name each, for Redis 6.2."""

_OLDEST = (6, 2)
_FIRST_WITH_WAITAOF = (7, 2)
_UNKNOWN = "unknown"

# Each is true of a server that loses what it acknowledged: evicts it, never writes it, or writes
# it later. `appendfsync` and `fsync_pauses` are unknown where the server does not tell.
_OF_A_PRIMARY: tuple[tuple[Callable[[Facts], bool], str], ...] = (
    (
        lambda facts: facts["role"] != "master",
        "it is a replica, and its primary may not have what it has; name the primary",
    ),
    (
        lambda facts: facts["alone"] == "yes" and facts["connected_slaves"] != "0",
        "a replica may be promoted without it; use redis+sentinel://, or say ?failover=never",
    ),
)
_OF_ANY: tuple[tuple[Callable[[Facts], bool], str], ...] = (
    (
        lambda facts: facts["maxmemory_policy"] != "noeviction",
        "it may evict entries; run CONFIG SET maxmemory-policy noeviction",
    ),
    (
        lambda facts: facts["aof_enabled"] != "1",
        "a restart loses everything; run CONFIG SET appendonly yes",
    ),
    (
        lambda facts: facts["appendfsync"] == _UNKNOWN,
        "appendfsync is hidden; allow this user CONFIG GET, or state it: ?appendfsync=always",
    ),
    (
        lambda facts: facts["appendfsync"] == "everysec" and facts["accepted"] != "everysec",
        "a power cut loses a second; CONFIG SET appendfsync always, or add ?appendfsync=everysec",
    ),
    (
        lambda facts: facts["appendfsync"] == "no",
        "a power cut loses many seconds; run CONFIG SET appendfsync always",
    ),
    (
        lambda facts: facts["fsync_pauses"] == "yes" and facts["accepted"] != "everysec",
        "it syncs nothing during rewrites; run CONFIG SET no-appendfsync-on-rewrite no",
    ),
)


def facts_from(answers: Sequence[Any], address: Address) -> Facts:
    """Return what the answers to ``QUESTIONS`` say.

    The URL's appendfsync is what the deployer states where the server hides its configuration,
    and the weakest that is accepted where it does not.
    """
    info, fsync, pauses = answers
    accepted = address.appendfsync
    if isinstance(info, ResponseError):
        raise Misconfigured("allow this user INFO: it tells whether the server evicts entries")
    facts = {"accepted": accepted or "always"}
    for line in info.decode(errors="replace").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            facts[name] = value
    facts["appendfsync"] = _setting(fsync, accepted or _UNKNOWN)
    facts["fsync_pauses"] = _setting(pauses, _UNKNOWN)
    facts["alone"] = "yes" if address.may_fail_over and not address.via else "no"
    return facts


def _setting(answer: object, otherwise: str) -> str:
    # A user without the right is refused; some services answer with nothing.
    if isinstance(answer, list) and len(answer) == 2:  # noqa: PLR2004 - name and value
        return str(answer[1].decode())
    return otherwise


def check_usable(facts: Facts, address: Address) -> None:
    """Raise ``Misconfigured`` for a server that scripts of ours cannot run on."""
    version = facts.get("redis_version", "0")
    if _numbers(version) < _OLDEST:
        raise Misconfigured(
            f"{address.place} runs Redis {version}; annul needs 6.2 or newer, or Valkey"
        )
    if (facts.get("cluster_enabled") == "1") != (address.via == "cluster"):
        raise Misconfigured(
            f"{address.place} is no cluster; write redis:// or redis+sentinel://"
            if address.via == "cluster"
            else f"{address.place} is a part of a cluster: write redis+cluster://"
        )


def can_tell_synced(facts: Facts) -> bool:
    """Whether the server has ``WAITAOF``. Valkey says which Redis it is like."""
    return _numbers(facts.get("redis_version", "0")) >= _FIRST_WITH_WAITAOF


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdigit())


def check_durable(facts: Facts, place: str) -> None:
    """Raise ``UnsafeStore`` for a server that loses acknowledged revocations, with all reasons."""
    _check(facts, (*_OF_A_PRIMARY, *_OF_ANY), place)


def check_others(others: dict[Host, Facts], nodes: int, place: str) -> None:
    """Raise ``UnsafeStore`` if a server that may be promoted would lose them.

    ``others`` are all that may be, those that are down included, with what is known of them.
    """
    if len(others) >= nodes:
        raise UnsafeStore(
            f"{place} has {len(others) + 1} nodes ({', '.join(map(str, others))} besides the"
            f" primary), but the URL says nodes={nodes}: one that is not waited for may be"
            " promoted. Correct the number; if a node is gone for good, have it forgotten"
            " (SENTINEL RESET, CLUSTER FORGET)"
        )
    for host, facts in others.items():
        if facts:
            _check(facts, _OF_ANY, str(host))


def _check(
    facts: Facts, dangers: Sequence[tuple[Callable[[Facts], bool], str]], place: str
) -> None:
    known = {"role": _UNKNOWN, "maxmemory_policy": _UNKNOWN, "aof_enabled": _UNKNOWN}
    known |= {"connected_slaves": _UNKNOWN} | facts
    reasons = [reason for is_true, reason in dangers if is_true(known)]
    if reasons:
        raise UnsafeStore(f"{place} would lose what it acknowledged: {'. And: '.join(reasons)}")
