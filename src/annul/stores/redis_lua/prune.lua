-- One batch of what has expired: at most so many sessions, and as many entries.
-- ARGV: issuer, now, batch size, id of an entry that drop_covered has finished with
-- Returns how many entries are gone and what to do next: 'done', 'more', or 'covered' and the id
-- of the entry whose sessions have to be dropped first.
local head, refusal = founded(META)
if refusal then return refusal end
local clock = redis.call('TIME')
local time = redis.call('HGET', META, 'time')
for _, other in ipairs({string.format('%d.%06d', clock[1], clock[2]), ARGV[2]}) do
    if tonumber(other) > tonumber(time) then time = other end
end
redis.call('HSET', META, 'time', time)

local over = redis.call('ZRANGEBYSCORE', ENDS, '-inf', time, 'LIMIT', 0, ARGV[3])
for _, mark in ipairs(over) do drop_session(mark) end
if #over == tonumber(ARGV[3]) then return {0, 'more'} end

local CUT_OFF = {subject = true, client = true, issuer = true}
local gone, expired = 0, redis.call('ZRANGEBYSCORE', EXPIRY, '-inf', '(' .. time,
    'LIMIT', 0, ARGV[3])
for _, id in ipairs(expired) do
    -- The head stays, so that its watermark can still be recognised.
    if id ~= head.epoch .. '-' .. head.seq then
        local entry = cjson.decode(redis.call('XRANGE', LOG, id, id)[1][2][2])
        local epoch, seq = string.match(id, '^(%d+)-(%d+)$')
        -- An entry is remembered for longer than any session lasts (remember_until), so there
        -- are none from before it unless somebody's clock was wrong.
        if CUT_OFF[entry[KIND]] and entry[ISSUER] == head.issuer and id ~= ARGV[4] and #redis.call('ZRANGEBYLEX', INDEX,
            '[since:', '(' .. padded(epoch, seq), 'LIMIT', 0, 1) > 0 then
            return {gone, 'covered', id}
        end
        if entry[KIND] == 'session' then drop_session(entry[MARK]) end
        redis.call('XDEL', LOG, id)
        redis.call('HDEL', TAGS, entry[TAG])
        redis.call('ZREM', EXPIRY, id)
        -- What it has been joined with may have to be remembered longer. Blocks stand for ever.
        local field = entry[KIND] .. ':' .. entry[MARK]
        local known = entry[KIND] ~= 'block' and redis.call('HGET', COVER, field)
        local expires = known and cjson.decode(string.match(known, ' (.*)$'))[EXPIRES]
        if expires and expires ~= cjson.null and tonumber(expires) < tonumber(time) then
            redis.call('HDEL', COVER, field)
        end
        if epoch == head.epoch
            and tonumber(seq) > tonumber(redis.call('HGET', META, 'pruned')) then
            redis.call('HSET', META, 'pruned', seq)
        end
        gone = gone + 1
    end
end
return {gone, #expired == tonumber(ARGV[3]) and 'more' or 'done'}
