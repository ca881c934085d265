-- Opens a new epoch if the log ends before a position that somebody has seen: then it has lost what
-- stood there, and would give out positions twice. See annul.stores.rules. And if a store of several
-- nodes has another primary than the one that opened this epoch, which may have given out some.
local FURTHEST_AHEAD = 86400

local function store_time()
    local clock = redis.call('TIME')
    return math.max(tonumber(redis.call('HGET', META, 'time')),
        tonumber(clock[1]) + tonumber(clock[2]) / 1000000)
end

local function ring_bell()
    redis.call('XADD', BELL, 'MAXLEN', '=', '1', '*', 'new', '1')
end

local function open_epoch(head, at_least)
    local opened = string.format('%.0f', math.max(tonumber(head.epoch) + 1, at_least))
    local tag = redis.call('HGET', META, 'tag')
    local genesis = redis.sha1hex(tag .. head.epoch .. '-' .. head.seq .. '>' .. opened)
    redis.call('HSET', META, 'epoch', opened, 'seq', '0', 'tag', genesis, 'genesis', genesis,
        'pruned', '0')
    head.epoch, head.seq = opened, '0'
    ring_bell()
end

local function open_epoch_if_behind(head, floor)
    local now = math.floor(store_time())
    local opener = redis.call('HGET', META, 'primary')
    if opener and opener ~= primary_id() then
        open_epoch(head, now)
        redis.call('HSET', META, 'primary', primary_id())
    end
    for _, seen in ipairs({floor, redis.call('GET', SEEN) or '0-0'}) do
        local epoch, seq = string.match(seen, '^(%d+)-(%d+)$')
        epoch, seq = tonumber(epoch), tonumber(seq)
        local of_head = tonumber(head.epoch)
        local lost = of_head < epoch or (of_head == epoch and tonumber(head.seq) < seq)
        if lost and epoch <= math.max(of_head, now) + FURTHEST_AHEAD then
            open_epoch(head, math.max(epoch + 1, now))
        end
    end
end
