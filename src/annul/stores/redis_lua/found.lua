-- ARGV: issuer, lineage, horizon, longest_token, longest_session, epoch, genesis, nodes
local nodes = ARGV[8]
if redis.call('EXISTS', META) == 0 then
    if redis.call('EXISTS', LOG) == 1 then return redis.error_reply('REMNANT a log without meta') end
    redis.call('HSET', META, 'schema', SCHEMA, 'issuer', ARGV[1], 'lineage', ARGV[2],
        'horizon', ARGV[3], 'longest_token', ARGV[4], 'longest_session', ARGV[5],
        'epoch', ARGV[6], 'seq', '0', 'tag', ARGV[7], 'genesis', ARGV[7], 'pruned', '0',
        'time', '0', 'keys', '0', 'jwks', '{"keys":[]}')
else
    local _, refusal = founded(META)
    if refusal then return refusal end
    local known = redis.call('HGET', META, 'nodes')
    if known and nodes == '1' then return redis.error_reply('SEVERALNODES wait for them') end
    for n, limit in ipairs({'horizon', 'longest_token', 'longest_session'}) do
        if tonumber(ARGV[n + 2]) > tonumber(redis.call('HGET', META, limit)) then
            redis.call('HSET', META, limit, ARGV[n + 2])
        end
    end
end
if nodes ~= '1' then
    redis.call('HSET', META, 'nodes', nodes)
    -- A log from before it had several nodes is continued in an epoch of its own.
    local since_now = redis.call('HGET', META, 'seq') == '0'
    redis.call('HSETNX', META, 'primary', since_now and primary_id() or 'alone')
end
return redis.call('HMGET', META, 'issuer', 'lineage', 'horizon', 'longest_token',
    'longest_session')
