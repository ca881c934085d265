-- ARGV: issuer, name of meta, lease id, lease
local meta = ARGV[2]
if redis.call('EXISTS', meta) == 0 then return false end
local head, refusal = founded(meta)
if refusal then return refusal end
redis.call('HSET', LEASES, ARGV[3], ARGV[4])
local clock = redis.call('TIME')
local now = string.format('%d.%06d', clock[1], clock[2])
local pruned_by = redis.call('HGET', meta, 'time')
if tonumber(pruned_by) > tonumber(now) then now = pruned_by end
local rest = redis.call('HMGET', meta, 'tag', 'keys', 'horizon', 'lineage')
return {head.epoch, head.seq, rest[1], now, rest[2], rest[3], rest[4]}
