-- ARGV: issuer, fingerprint of the whole issuer, session
local head, refusal = founded(META)
if refusal then return refusal end
local row = cjson.decode(ARGV[3])
row.epoch, row.seq = head.epoch, head.seq
local cover = covering(row, ARGV[2])
if cover then return {'covered', cover} end
redis.call('HSET', SESSIONS, row.sid, cjson.encode(row))
redis.call('HSET', FAMILIES, row.family, row.sid)
redis.call('ZADD', INDEX, 0, 'subject:' .. row.subject_mark .. ':' .. row.sid,
    0, 'client:' .. row.client_mark .. ':' .. row.sid)
redis.call('ZADD', ENDS, row.ends_at, row.sid)
return {'began', head.epoch, head.seq}
