-- The table of annul.core.session, row by row as its `decide` has it.
-- ARGV: issuer, floor, fingerprint of the whole issuer, what is asked
local head, refusal = founded(META)
if refusal then return refusal end
local asked = cjson.decode(ARGV[4])
open_epoch_if_behind(head, ARGV[2])
local mark = redis.call('HGET', FAMILIES, asked.family)
local text = mark and redis.call('HGET', SESSIONS, mark)
if not text then return {'unknown'} end
local row = cjson.decode(text)
if asked.client_id ~= cjson.null and asked.client_id ~= row.client_id then return {'unknown'} end
if row.jkt ~= cjson.null and asked.jkt ~= row.jkt then return {'unknown'} end

local now = tonumber(asked.now)
local cover = covering(row, ARGV[3])
if cover then return {'ended', text, cover} end
if not within_limits(row, now) then return {'ended', text} end

local presented, current = tonumber(asked.generation), tonumber(row.generation)
if presented >= current then
    row.generation, row.handle_key, row.rotated_at = asked.successor, asked.handle_key, asked.now
    if now > tonumber(row.last_seen) then row.last_seen = asked.now end
    local as_of_head = asked.as_of_epoch == cjson.null
    row.as_of_epoch = as_of_head and head.epoch or asked.as_of_epoch
    row.as_of_seq = as_of_head and head.seq or asked.as_of_seq
    if asked.claims ~= cjson.null then row.claims = asked.claims end
    -- Until the caller says that it has heard of it: see confirm.lua.
    row.confirmed = false
    text = cjson.encode(row)
    redis.call('HSET', SESSIONS, mark, text)
    return {'rotated', text, presented > current and '1' or '0'}
end

local retry_allowed = row.jkt ~= cjson.null or not row.confirmed or row.rotated_at == cjson.null
    or now - tonumber(row.rotated_at) <= tonumber(asked.grace)
if presented == current - 1 and retry_allowed then return {'retried', text} end

local entry = {asked.replay_tag, head.issuer, 'session', row.mark, 'refresh_reuse', asked.now,
    asked.replay_expires_at, row.sid, cjson.null, '', ''}
local replay = append(head, entry, cjson.encode(entry), 'lasting')
ring_bell()
return {'replayed', text, replay}
