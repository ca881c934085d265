"""The scripts that run inside Redis, where each of them runs alone: that is what makes a verb one.

They use only what Redis 6.2, Redis 7 and Valkey share. Whatever has to hold a number exactly is
text: Lua's ``tostring`` and its JSON keep 14 digits. No script fails after its first write.

Keys, all with one hash tag::

    meta      hash    identity, head of the log, public keys: nothing secret
    ring      hash    the sealed keyring
    log       stream  id epoch-seq; an entry is a JSON array of text (``ENTRY``), and what it lifts
    tags      hash    tag → id
    expiry    zset    id by the time from which it may be forgotten
    cover     hash    kind:fingerprint → what the denylist knows: "id entry", blocks one per line
    sessions  hash    sid → JSON object of text
    families  hash    family → sid
    index     zset    subject:fingerprint:sid and client:fingerprint:sid
    ends      zset    sid by absolute end
    leases    hash    lease id → JSON
    clock     string  the server's time when a lease was last renewed, never going back
    bell      stream  its only entry changes when there is something new to read

A replica's user needs to read meta, log and bell, and to write leases and clock. That is why
``RENEW`` does not declare meta: a key that is declared to EVALSHA has to be writable.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha1

__all__ = [
    "APPEND",
    "BEGIN",
    "CONFIRM",
    "FOUND",
    "LIST",
    "PRUNE",
    "RENEW",
    "ROTATE",
    "SCHEMA",
    "SWAP_RING",
    "Script",
    "key",
]

SCHEMA = "1"


def key(prefix: str, name: str) -> str:
    """Return the name of a key; the braces put all keys of a store into one slot."""
    return f"{{{prefix}}}:{name}"


@dataclass(frozen=True, slots=True)
class Script:
    """A script, the keys that it declares, and the digest that the server knows it by."""

    keys: tuple[str, ...]
    source: str
    sha: str

    def names(self, prefix: str) -> list[str]:
        """Return the keys' names in the store with this prefix."""
        return [key(prefix, name) for name in self.keys]


def _script(keys: str, *parts: str) -> Script:
    names = tuple(keys.split())
    variables = ", ".join(name.upper() for name in names)
    values = ", ".join(f"KEYS[{number}]" for number in range(1, len(names) + 1))
    source = "".join((f"local {variables} = {values}\n", *parts))
    # Not a secret and not a signature: EVALSHA names scripts so.
    return Script(names, source, sha1(source.encode(), usedforsecurity=False).hexdigest())


_ENTRY = """
local TAG, ISSUER, KIND, MARK, REASON, AT, EXPIRES, ID, ACTOR = 1, 2, 3, 4, 5, 6, 7, 8, 9
"""

# ARGV[1] is the issuer that the caller works for, empty if any will do.
_FOUNDED = f"""
local function founded(meta_key)
    local meta = redis.call('HMGET', meta_key, 'issuer', 'epoch', 'seq', 'schema')
    if not meta[1] then return nil, redis.error_reply('UNFOUNDED no store') end
    if meta[4] ~= '{SCHEMA}' then return nil, redis.error_reply('OTHERSCHEMA ' .. meta[4]) end
    if ARGV[1] ~= '' and ARGV[1] ~= meta[1] then
        return nil, redis.error_reply('OTHERISSUER ' .. meta[1])
    end
    return {{issuer = meta[1], epoch = meta[2], seq = meta[3]}}
end
"""

# The rules of annul.core.denylist for sessions, in their order: any entry suffices.
_COVERING = """
local function began_before(row, line)
    local epoch, seq, text = string.match(line, '^(%d+)-(%d+) (.*)$')
    local row_epoch, row_seq = tonumber(row.epoch), tonumber(row.seq)
    if row_epoch < tonumber(epoch) then return true end
    if row_epoch == tonumber(epoch) and row_seq < tonumber(seq) then return true end
    return row.began ~= cjson.null and tonumber(row.began) <= tonumber(cjson.decode(text)[AT])
end

local function covering(row, everything)
    local hits = redis.call('HMGET', COVER, 'session:' .. row.mark, 'block:' .. row.subject_mark,
        'subject:' .. row.subject_mark, 'client:' .. row.client_mark, 'issuer:' .. everything)
    for n = 1, 2 do
        if hits[n] then return string.match(hits[n], '^[^\\n]*') end
    end
    for n = 3, 5 do
        if hits[n] and began_before(row, hits[n]) then return hits[n] end
    end
    return nil
end

local function within_limits(row, now)
    return now < tonumber(row.ends_at) and now < tonumber(row.last_seen) + tonumber(row.idle_ttl)
end
"""

_APPENDING = """
local COVERS = {session = true, subject = true, client = true, issuer = true}

local function cover(draft, id, text)
    local field = draft[KIND] .. ':' .. draft[MARK]
    local known = redis.call('HGET', COVER, field)
    local line = id .. ' ' .. text
    if draft[KIND] == 'block' then
        redis.call('HSET', COVER, field, known and known .. '\\n' .. line or line)
    elseif COVERS[draft[KIND]] then
        if known then
            -- Positions grow, so the new entry wins; it stands in for the old one's times too.
            local before = cjson.decode(string.match(known, ' (.*)$'))
            local joined = cjson.decode(text)
            if tonumber(before[AT]) > tonumber(joined[AT]) then joined[AT] = before[AT] end
            if before[EXPIRES] == cjson.null then
                joined[EXPIRES] = cjson.null
            elseif joined[EXPIRES] ~= cjson.null
                and tonumber(before[EXPIRES]) > tonumber(joined[EXPIRES]) then
                joined[EXPIRES] = before[EXPIRES]
            end
            line = id .. ' ' .. cjson.encode(joined)
        end
        redis.call('HSET', COVER, field, line)
    end
end

local function lift(draft)
    local field = 'block:' .. draft[MARK]
    local tags = {}
    for text in string.gmatch(redis.call('HGET', COVER, field) or '', ' ([^\\n]*)') do
        tags[#tags + 1] = cjson.decode(text)[TAG]
    end
    redis.call('HDEL', COVER, field)
    return table.concat(tags, ' ')
end

-- Returns id, entry and lifts. The stream itself refuses an id that is not the highest.
local function append(head, draft, text, lifts_all)
    local known = redis.call('HGET', TAGS, draft[TAG])
    if known then
        local fields = redis.call('XRANGE', LOG, known, known)[1][2]
        return {known, fields[2], fields[4]}
    end
    local lifts = lifts_all and lift(draft) or ''
    head.seq = string.format('%.0f', tonumber(head.seq) + 1)
    local id = head.epoch .. '-' .. head.seq
    redis.call('XADD', LOG, id, 'entry', text, 'lifts', lifts)
    redis.call('HSET', TAGS, draft[TAG], id)
    redis.call('HSET', META, 'seq', head.seq, 'tag', draft[TAG])
    if draft[EXPIRES] ~= cjson.null then redis.call('ZADD', EXPIRY, draft[EXPIRES], id) end
    cover(draft, id, text)
    return {id, text, lifts}
end

local function ring_bell() redis.call('XADD', BELL, 'MAXLEN', '=', '1', '*', 'new', '1') end
"""

# ARGV: issuer, lineage, horizon, longest_token, longest_session, epoch, genesis.
FOUND = _script(
    "meta log",
    """
local LIMITS = {'horizon', 'longest_token', 'longest_session'}
local recorded = redis.call('HGET', META, 'issuer')
if not recorded then
    if redis.call('EXISTS', LOG) == 1 then return redis.error_reply('REMNANT log') end
    redis.call('HSET', META, 'issuer', ARGV[1], 'lineage', ARGV[2], 'horizon', ARGV[3],
        'longest_token', ARGV[4], 'longest_session', ARGV[5], 'epoch', ARGV[6], 'seq', '0',
        'tag', ARGV[7], 'genesis', ARGV[7], 'pruned', '0', 'time', '0',
        'keys', '0', 'jwks', '{"keys":[]}', 'schema', '"""
    + SCHEMA
    + """')
else
    local head, refusal = founded(META)
    if refusal then return refusal end
    for n, name in ipairs(LIMITS) do
        local limit = ARGV[n + 2]
        if tonumber(limit) > tonumber(redis.call('HGET', META, name)) then
            redis.call('HSET', META, name, limit)
        end
    end
end
return redis.call('HMGET', META, 'issuer', 'lineage', 'horizon', 'longest_token',
    'longest_session')
""",
)
