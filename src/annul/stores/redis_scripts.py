"""The scripts that run inside Redis, where each of them runs alone: that is what makes a verb one.

They use only what Redis 6.2, Redis 7 and Valkey share. Whatever has to hold a number exactly is
text: Lua's ``tostring`` and its JSON keep 14 digits. A script can fail only before its first
write, so it happens whole or not at all.

The keys of a store, all with one hash tag::

    meta      hash    identity, head of the log, public keys: nothing secret; on how many nodes
                      the store is kept, and which primary has opened its epoch
    ring      hash    the sealed keyring
    log       stream  id epoch-seq; an entry is a JSON array of text
    tags      hash    tag → id
    expiry    zset    id by the time from which it may be forgotten
    cover     hash    kind:fingerprint → what is in force: "id entry", of blocks one per line
    sessions  hash    fingerprint of the sid → JSON object of text
    families  hash    family → fingerprint of the sid
    index     zset    sessions by subject, by client and by their beginning, sorted as text
    ends      zset    sessions by absolute end
    leases    hash    lease id → JSON
    seen      string  the furthest position that any replica has seen
    inbox     hash    tag → "id entry" of what the store has lost and a replica still has
    bell      stream  its only entry is replaced when there is something new to read
    pulse     string  counts what several nodes had to confirm

The user of a replica has to read meta, log and bell, and to write leases,
seen and inbox. Therefore
``RENEW`` does not declare meta: what is declared to EVALSHA has to be writable.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1
from importlib.resources import files

__all__ = [
    "APPEND",
    "BEGIN",
    "CONFIRM",
    "DROP_COVERED",
    "EXPEL",
    "FOUND",
    "LIST",
    "OFFER",
    "PRUNE",
    "RENEW",
    "ROTATE",
    "SCHEMA",
    "SWAP_RING",
    "Script",
    "key",
]

SCHEMA = "2"
"""Which layout of keys and rows this is; a store with another one is refused."""
_FOLDER = files("annul.stores") / "redis_lua"


def key(prefix: str, name: str) -> str:
    """Return the name of a key; the braces keep all keys of a store together in a cluster."""
    return f"{{{prefix}}}:{name}"


@dataclass(frozen=True, slots=True)
class Script:
    """A script, the keys that it declares, and the digest by which the server knows it."""

    keys: tuple[str, ...]
    source: str
    sha: str

    def names(self, prefix: str) -> list[str]:
        """Return the names of the keys in the store with this prefix."""
        return [key(prefix, name) for name in self.keys]


def _script(name: str, *, keys: str, parts: str = "") -> Script:
    declared = tuple(keys.split())
    source = f"local SCHEMA = '{SCHEMA}'\n"
    for number, key_name in enumerate(declared, 1):
        source += f"local {key_name.upper()} = KEYS[{number}]\n"
    for part in (*parts.split(), name):
        source += (_FOLDER / f"{part}.lua").read_text(encoding="utf-8")
    # EVALSHA names a script by its SHA-1; nothing is proven by it.
    return Script(declared, source, sha1(source.encode(), usedforsecurity=False).hexdigest())


_APPENDING = "_founded _primary _epoch _entry _appending"
_LOG = "meta log tags expiry cover bell seen"

FOUND = _script("found", keys="meta log", parts="_founded _primary")
RENEW = _script("renew", keys="leases seen", parts="_founded")
APPEND = _script("append", keys=_LOG, parts=_APPENDING)
BEGIN = _script(
    "begin",
    keys="meta cover sessions families index ends bell seen",
    parts="_founded _primary _epoch _entry _covering _rows",
)
ROTATE = _script("rotate", keys=f"{_LOG} sessions families", parts=f"{_APPENDING} _covering")
CONFIRM = _script("confirm", keys="sessions")
EXPEL = _script("expel", keys="leases")
OFFER = _script("offer", keys="inbox")
LIST = _script("list", keys="meta cover sessions index", parts="_founded _entry _covering")
SWAP_RING = _script("swap_ring", keys="meta ring bell", parts="_founded")
PRUNE = _script(
    "prune",
    keys="meta log tags expiry cover sessions families index ends",
    parts="_founded _entry _rows",
)
DROP_COVERED = _script(
    "drop_covered",
    keys="meta log sessions families index ends",
    parts="_founded _entry _rows",
)
