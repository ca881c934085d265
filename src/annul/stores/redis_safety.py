"""Whether a Redis server keeps what it has acknowledged, and what to change if it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from redis.exceptions import ResponseError

from annul.errors import Misconfigured, UnsafeStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from annul.stores.redis_link import Command

    Facts = dict[str, str]

__all__ = ["QUESTIONS", "check_durable", "check_usable", "facts_from"]

QUESTIONS: tuple[Command, ...] = (
    ("INFO",),
    ("CONFIG", "GET", "appendfsync"),
    ("CONFIG", "GET", "no-appendfsync-on-rewrite"),
)
"""What to ask the server; ``facts_from`` takes the answers. One name each, for Redis 6.2."""

_OLDEST = (6, 2)
_UNKNOWN = "unknown"

# Each is true of a server that loses what it acknowledged: evicts it, never writes it, or writes
# it later. `appendfsync` and `fsync_pauses` are unknown where the server does not tell.
_DANGERS: tuple[tuple[Callable[[Facts], bool], str], ...] = (
    (
        lambda facts: facts["role"] != "master",
        "it is a replica, and its primary may not have what it has; name the primary",
    ),
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


def facts_from(answers: Sequence[Any], accepted: str | None) -> Facts:
    """Return what the answers to ``QUESTIONS`` say.

    ``accepted`` is the URL's appendfsync: what the deployer states where the server hides its
    configuration, and the weakest that is accepted where it does not.
    """
    info, fsync, pauses = answers
    if isinstance(info, ResponseError):
        raise Misconfigured("allow this user INFO: it tells whether the server evicts entries")
    facts = {"accepted": accepted or "always"}
    for line in info.decode(errors="replace").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            facts[name] = value
    facts["appendfsync"] = _setting(fsync, accepted or _UNKNOWN)
    facts["fsync_pauses"] = _setting(pauses, _UNKNOWN)
    return facts


def _setting(answer: object, otherwise: str) -> str:
    # A user without the right is refused; some services answer with nothing.
    if isinstance(answer, list) and len(answer) == 2:  # noqa: PLR2004 - name and value
        return str(answer[1].decode())
    return otherwise


def check_usable(facts: Facts, place: str) -> None:
    """Raise ``Misconfigured`` for a server that scripts of ours cannot run on."""
    version = facts.get("redis_version", "0")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers < _OLDEST:
        raise Misconfigured(f"{place} runs Redis {version}; annul needs 6.2 or newer, or Valkey")
    if facts.get("cluster_enabled") == "1":
        raise Misconfigured(f"{place} is a part of a cluster; name a server that stands alone")


def check_durable(facts: Facts, place: str) -> None:
    """Raise ``UnsafeStore`` for a server that loses acknowledged revocations, with all reasons."""
    reasons = list(_reasons(facts))
    if reasons:
        raise UnsafeStore(f"{place} would lose what it acknowledged: {'. And: '.join(reasons)}")


def _reasons(facts: Facts) -> Iterable[str]:
    known = {"role": _UNKNOWN, "maxmemory_policy": _UNKNOWN, "aof_enabled": _UNKNOWN} | facts
    return (reason for is_true, reason in _DANGERS if is_true(known))
