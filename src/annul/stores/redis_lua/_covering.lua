-- The rules of annul.core.denylist for sessions, asked in its order; any of them suffices.
-- Returns the line "id entry" that ends the session, or nil. `everything` is the fingerprint of
-- the whole issuer.
local function began_before(row, line)
    local epoch, seq, text = string.match(line, '^(%d+)-(%d+) (.*)$')
    local since_epoch, since_seq = tonumber(row.epoch), tonumber(row.seq)
    if since_epoch < tonumber(epoch) then return true end
    if since_epoch == tonumber(epoch) and since_seq < tonumber(seq) then return true end
    return row.began ~= cjson.null and tonumber(row.began) <= tonumber(cjson.decode(text)[AT])
end

local function covering(row, everything)
    local hits = redis.call('HMGET', COVER, 'session:' .. row.mark, 'block:' .. row.subject_mark,
        'subject:' .. row.subject_mark, 'client:' .. row.client_mark, 'issuer:' .. everything)
    for n = 1, 2 do
        if hits[n] then return string.match(hits[n], '^[^\n]*') end
    end
    for n = 3, 5 do
        if hits[n] and began_before(row, hits[n]) then return hits[n] end
    end
    return nil
end

local function within_limits(row, now)
    return now < tonumber(row.ends_at) and now < tonumber(row.last_seen) + tonumber(row.idle_ttl)
end
