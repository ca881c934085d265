-- ARGV: issuer, name of meta, lease id, lease, the furthest position its replica has seen
local meta = ARGV[2]
if redis.call('EXISTS', meta) == 0 then return false end
local head, refusal = founded(meta)
if refusal then return refusal end
local before = redis.call('HGET', LEASES, ARGV[3])
redis.call('HSET', LEASES, ARGV[3], ARGV[4])
local function is_further(one, two)
    local epoch, seq = string.match(one, '^(%d+)-(%d+)$')
    local than_epoch, than_seq = string.match(two, '^(%d+)-(%d+)$')
    epoch, than_epoch = tonumber(epoch), tonumber(than_epoch)
    return epoch > than_epoch or (epoch == than_epoch and tonumber(seq) > tonumber(than_seq))
end
if is_further(ARGV[5], redis.call('GET', SEEN) or '0-0') then redis.call('SET', SEEN, ARGV[5]) end
local clock = redis.call('TIME')
local now = string.format('%d.%06d', clock[1], clock[2])
local pruned_by = redis.call('HGET', meta, 'time')
if tonumber(pruned_by) > tonumber(now) then now = pruned_by end
local rest = redis.call('HMGET', meta, 'tag', 'keys', 'horizon', 'lineage', 'nodes')
local previous = before and tostring(cjson.decode(before)[5])
return {head.epoch, head.seq, rest[1], now, rest[2], rest[3], rest[4], previous or false,
    rest[5] or '1'}
