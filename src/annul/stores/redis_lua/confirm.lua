-- The caller has heard that this generation was reached, so its predecessor's time runs out.
-- ARGV: fingerprint of the session, generation
local text = redis.call('HGET', SESSIONS, ARGV[1])
if not text then return 0 end
local row = cjson.decode(text)
if row.generation ~= ARGV[2] then return 0 end
row.confirmed = true
redis.call('HSET', SESSIONS, ARGV[1], cjson.encode(row))
return 1
