-- Where a session is entered in the index: by whom it is of, and in the order in which sessions
-- began, with numbers padded so that they sort as text.
local function padded(epoch, seq) return string.format('since:%015.0f-%016.0f', epoch, seq) end

local function places(row)
    return 'subject:' .. row.subject_mark .. ':' .. row.mark,
        'client:' .. row.client_mark .. ':' .. row.mark,
        padded(row.epoch, row.seq) .. ':' .. row.mark
end

local function drop_session(mark)
    local text = redis.call('HGET', SESSIONS, mark)
    if not text then return end
    local row = cjson.decode(text)
    redis.call('HDEL', SESSIONS, mark)
    redis.call('HDEL', FAMILIES, row.family)
    redis.call('ZREM', INDEX, places(row))
    redis.call('ZREM', ENDS, mark)
end
