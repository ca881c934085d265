-- What an entry changes for sessions: cut-offs and ended sessions keep the join of all entries
-- about them, blocks stand one per line until an unblock lifts them.
local JOINED = {session = true, subject = true, client = true, issuer = true}

local function join(known, text)
    -- Positions only grow, so the new entry wins; it is remembered as long as either.
    local before, after = cjson.decode(string.match(known, ' (.*)$')), cjson.decode(text)
    if tonumber(before[AT]) > tonumber(after[AT]) then after[AT] = before[AT] end
    if before[EXPIRES] == cjson.null then
        after[EXPIRES] = cjson.null
    elseif after[EXPIRES] ~= cjson.null
        and tonumber(before[EXPIRES]) > tonumber(after[EXPIRES]) then
        after[EXPIRES] = before[EXPIRES]
    end
    return cjson.encode(after)
end

local function take_effect(entry, id, text)
    local field = entry[KIND] .. ':' .. entry[MARK]
    if entry[KIND] == 'block' then
        local standing = redis.call('HGET', COVER, field)
        local line = id .. ' ' .. text
        redis.call('HSET', COVER, field, standing and (standing .. '\n' .. line) or line)
    elseif JOINED[entry[KIND]] then
        local known = redis.call('HGET', COVER, field)
        redis.call('HSET', COVER, field, id .. ' ' .. (known and join(known, text) or text))
    elseif entry[KIND] == 'unblock' and entry[LIFTS] ~= '' then
        redis.call('HDEL', COVER, 'block:' .. entry[MARK])
    end
end

local function standing_blocks(mark)
    local tags = {}
    for text in string.gmatch(redis.call('HGET', COVER, 'block:' .. mark) or '', ' ([^\n]*)') do
        tags[#tags + 1] = cjson.decode(text)[TAG]
    end
    return table.concat(tags, ' ')
end

-- Appends one entry behind the head and moves the head, unless its tag is in the log already.
-- `mode` is 'lifts_all' or 'lasting' as in Draft, or empty.
-- Returns {id, entry}. XADD is the first write, and refuses an id that is not the highest.
local function append(head, entry, text, mode)
    local known = redis.call('HGET', TAGS, entry[TAG])
    if known then return {known, redis.call('XRANGE', LOG, known, known)[1][2][2]} end
    if mode == 'lifts_all' then
        entry[LIFTS] = standing_blocks(entry[MARK])
        text = cjson.encode(entry)
    elseif entry[EXPIRES] ~= cjson.null then
        local late = math.floor(math.max(0, store_time() - tonumber(entry[AT])))
        local lifetimes = mode == 'lasting' and head.lifetimes or 0
        if late + lifetimes > 0 then
            entry[EXPIRES] = string.format('%.0f', tonumber(entry[EXPIRES]) + lifetimes + late)
            text = cjson.encode(entry)
        end
    end
    local seq = string.format('%.0f', tonumber(head.seq) + 1)
    local id = head.epoch .. '-' .. seq
    redis.call('XADD', LOG, id, 'entry', text)
    redis.call('HSET', TAGS, entry[TAG], id)
    redis.call('HSET', META, 'seq', seq, 'tag', entry[TAG])
    if entry[EXPIRES] ~= cjson.null then redis.call('ZADD', EXPIRY, entry[EXPIRES], id) end
    take_effect(entry, id, text)
    head.seq = seq
    return {id, text}
end
