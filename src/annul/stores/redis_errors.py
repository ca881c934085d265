"""What a refusal by Redis means for us: one table from its error codes to our tree."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from redis.exceptions import AuthenticationError, NoPermissionError

from annul.errors import Misconfigured, StoreUnavailable, WrongStore

if TYPE_CHECKING:
    from redis.exceptions import RedisError

    from annul.errors import AnnulError

__all__ = ["explain", "has_moved", "lost", "refusal"]

_MEANINGS: dict[str, tuple[type[AnnulError], str]] = {
    # Said by our own scripts.
    "UNFOUNDED": (
        StoreUnavailable,
        "{place} holds no store under this prefix: nobody has founded it yet, or it was lost",
    ),
    "OTHERISSUER": (
        WrongStore,
        "this prefix at {place} belongs to another issuer; add ?prefix=name to the URL",
    ),
    "OTHERSCHEMA": (
        WrongStore,
        "the store at {place} was made by another version of annul: use that one, or upgrade",
    ),
    "REMNANT": (
        WrongStore,
        "{place} holds a part of a store under this prefix: restore it, or use another prefix",
    ),
    "SEVERALNODES": (
        Misconfigured,
        "the store at {place} is kept on several nodes: use redis+sentinel:// or redis+cluster://",
    ),
    # Said by the server.
    "NODATABASE": (Misconfigured, "{place} has no database of that number; it is often 0"),
    "NOAUTH": (Misconfigured, "{place} wants a password: put it into the URL"),
    "WRONGPASS": (Misconfigured, "{place} refuses this user name and password"),
    "NOPERM": (Misconfigured, "{place} does not let this user do that: {detail}"),
    "WRONGTYPE": (WrongStore, "keys of this prefix at {place} are somebody else's; use another"),
    "OOM": (
        StoreUnavailable,
        "{place} is out of memory and takes no writes: raise maxmemory. Nothing was lost",
    ),
    "READONLY": (StoreUnavailable, "{place} is a replica and takes no writes: name the primary"),
    "MISCONF": (StoreUnavailable, "{place} cannot write to its disk and takes no writes"),
    "LOADING": (StoreUnavailable, "{place} is still loading its data"),
    "BUSY": (StoreUnavailable, "{place} is busy with somebody's script"),
    "MASTERDOWN": (StoreUnavailable, "{place} is a replica that has lost its primary"),
    "NOREPLICAS": (StoreUnavailable, "{place} has fewer replicas than it insists on"),
    "UNBLOCKED": (StoreUnavailable, "{place} was demoted while it was being waited for"),
    "MOVED": (StoreUnavailable, "{place} has given this store's slot to another node: try again"),
    "ASK": (StoreUnavailable, "{place} is moving this store's slot to another node: try later"),
    "TRYAGAIN": (StoreUnavailable, "{place} is moving this store's slot: try later"),
    "CLUSTERDOWN": (StoreUnavailable, "the cluster at {place} is down"),
}

_ELSEWHERE = {"READONLY", "MASTERDOWN", "UNBLOCKED", "MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN"}

# Redis 6.2 wraps what a command inside a script says: "ERR Error running script …: -OOM …".
_INSIDE_A_SCRIPT = re.compile(r": -([A-Z]+) ")


def explain(error: RedisError, place: str) -> AnnulError:
    """Return the error of ours for a command that the server has answered with an error."""
    text, code = str(error), _code_of(error)
    if isinstance(error, NoPermissionError):
        code = "NOPERM"
    elif isinstance(error, AuthenticationError) and code not in _MEANINGS:
        code = "WRONGPASS"
    elif "DB index" in text:
        code = "NODATABASE"
    return refusal(code, place, text)


def has_moved(error: RedisError) -> bool:
    """Whether an error answer says that another server takes the writes by now."""
    return _code_of(error) in _ELSEWHERE


def _code_of(error: RedisError) -> str:
    text = str(error)
    inside = _INSIDE_A_SCRIPT.search(text)
    return inside[1] if inside is not None else error.status_code or text.partition(" ")[0]


def refusal(code: str, place: str, detail: str = "") -> AnnulError:
    """Return the error of ours for an error code, by the server or by a script."""
    unknown = (StoreUnavailable, "{place} refused an operation: {detail}")
    kind, sentence = _MEANINGS.get(code, unknown)
    return kind(sentence.format(place=place, detail=detail))


def lost(error: Exception, place: str) -> StoreUnavailable:
    """Return the error for a connection that gave no answer, whatever became of the request."""
    # The driver names the address again, in other words.
    why = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else ""
    detail = f": {why}" if why else ""
    return StoreUnavailable(f"{place} did not answer in time, or could not be reached{detail}")
