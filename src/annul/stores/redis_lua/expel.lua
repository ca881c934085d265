-- Removes a lease, unless it has been renewed since.
-- ARGV: lease id, beat
local text = redis.call('HGET', LEASES, ARGV[1])
if text and cjson.decode(text)[5] == tonumber(ARGV[2]) then redis.call('HDEL', LEASES, ARGV[1]) end
return 1
