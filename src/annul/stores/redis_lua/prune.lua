-- One batch of what has expired: at most ARGV[3] sessions and as many entries.
-- ARGV: issuer, now, batch size
-- Returns how many entries are gone, and 1 if there may be more to drop.
local head, refusal = founded(META)
if refusal then return refusal end
local clock = redis.call('TIME')
local time = redis.call('HGET', META, 'time')
for _, other in ipairs({string.format('%d.%06d', clock[1], clock[2]), ARGV[2]}) do
    if tonumber(other) > tonumber(time) then time = other end
end
redis.call('HSET', META, 'time', time)

-- Sessions go first: an entry outlives every session that it covers (remember_until), so none
-- can come back to life when its entry goes.
local over = redis.call('ZRANGEBYSCORE', ENDS, '-inf', time, 'LIMIT', 0, ARGV[3])
for _, sid in ipairs(over) do
    local row = cjson.decode(redis.call('HGET', SESSIONS, sid))
    redis.call('HDEL', SESSIONS, sid)
    redis.call('HDEL', FAMILIES, row.family)
    redis.call('ZREM', INDEX, 'subject:' .. row.subject_mark .. ':' .. sid,
        'client:' .. row.client_mark .. ':' .. sid)
    redis.call('ZREM', ENDS, sid)
end

local expired = redis.call('ZRANGEBYSCORE', EXPIRY, '-inf', '(' .. time, 'LIMIT', 0, ARGV[3])
local gone, pruned = 0, tonumber(redis.call('HGET', META, 'pruned'))
for _, id in ipairs(expired) do
    -- The head stays, so that its watermark can still be recognised.
    if id ~= head.epoch .. '-' .. head.seq then
        local entry = cjson.decode(redis.call('XRANGE', LOG, id, id)[1][2][2])
        redis.call('XDEL', LOG, id)
        redis.call('HDEL', TAGS, entry[TAG])
        redis.call('ZREM', EXPIRY, id)
        local field = entry[KIND] .. ':' .. entry[MARK]
        local known = redis.call('HGET', COVER, field)
        local expires = known and cjson.decode(string.match(known, ' ([^\n]*)'))[EXPIRES]
        if expires and expires ~= cjson.null and tonumber(expires) < tonumber(time) then
            redis.call('HDEL', COVER, field)
        end
        pruned = math.max(pruned, tonumber(string.match(id, '-(%d+)$')))
        gone = gone + 1
    end
end
redis.call('HSET', META, 'pruned', string.format('%.0f', pruned))
local full = tonumber(ARGV[3])
return {gone, (#over == full or #expired == full) and 1 or 0}
