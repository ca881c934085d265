-- Opens a new epoch if the log ends before a position that somebody has seen: then it has lost what
-- stood there, and would give out positions twice. See annul.stores.rules.
local FURTHEST_AHEAD = 86400

local function store_time()
    local clock = redis.call('TIME')
    return math.max(tonumber(redis.call('HGET', META, 'time')),
        tonumber(clock[1]) + tonumber(clock[2]) / 1000000)
end

local function ring_bell()
    redis.call('XADD', BELL, 'MAXLEN', '=', '1', '*', 'new', '1')
end

local function open_epoch_if_behind(head, floor)
    for _, seen in ipairs({floor, redis.call('GET', SEEN) or '0-0'}) do
        local epoch, seq = string.match(seen, '^(%d+)-(%d+)$')
        epoch, seq = tonumber(epoch), tonumber(seq)
        local now, of_head = math.floor(store_time()), tonumber(head.epoch)
        local lost = of_head < epoch or (of_head == epoch and tonumber(head.seq) < seq)
        if lost and epoch <= math.max(of_head, now) + FURTHEST_AHEAD then
            local opened = string.format('%.0f', math.max(of_head + 1, epoch + 1, now))
            local tag = redis.call('HGET', META, 'tag')
            local genesis = redis.sha1hex(tag .. head.epoch .. '-' .. head.seq .. '>' .. opened)
            redis.call('HSET', META, 'epoch', opened, 'seq', '0', 'tag', genesis,
                'genesis', genesis, 'pruned', '0')
            head.epoch, head.seq = opened, '0'
            ring_bell()
        end
    end
end
