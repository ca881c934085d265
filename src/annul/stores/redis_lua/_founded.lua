-- The head of the log, or the refusal to give the caller. ARGV[1] is the issuer that the caller
-- works for, empty if any will do.
local function founded(meta)
    local found = redis.call('HMGET', meta, 'issuer', 'epoch', 'seq', 'schema', 'longest_token',
        'longest_session')
    if not found[1] then return nil, redis.error_reply('UNFOUNDED there is no store') end
    if found[4] ~= SCHEMA then return nil, redis.error_reply('OTHERSCHEMA made by another annul') end
    if ARGV[1] ~= '' and ARGV[1] ~= found[1] then
        return nil, redis.error_reply('OTHERISSUER somebody else is the issuer')
    end
    return {issuer = found[1], epoch = found[2], seq = found[3],
        lifetimes = tonumber(found[5]) + tonumber(found[6])}
end
