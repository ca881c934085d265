-- ARGV: issuer, floor, fingerprint of the whole issuer, session
local head, refusal = founded(META)
if refusal then return refusal end
local row = cjson.decode(ARGV[4])
open_epoch_if_behind(head, ARGV[2])
row.epoch, row.seq = head.epoch, head.seq
row.as_of_epoch, row.as_of_seq = head.epoch, head.seq
local cover = covering(row, ARGV[3])
if cover then return {'covered', cover} end
redis.call('HSET', SESSIONS, row.mark, cjson.encode(row))
redis.call('HSET', FAMILIES, row.family, row.mark)
for _, place in ipairs({places(row)}) do redis.call('ZADD', INDEX, 0, place) end
redis.call('ZADD', ENDS, row.ends_at, row.mark)
return {'began', head.epoch, head.seq}
