-- ARGV: issuer, expected version, version, ring, jwks
local head, refusal = founded(META)
if refusal then return refusal end
if redis.call('HGET', META, 'keys') ~= ARGV[2] then return 0 end
redis.call('HSET', META, 'keys', ARGV[3], 'jwks', ARGV[5])
redis.call('HSET', RING, 'version', ARGV[3], 'ring', ARGV[4], 'jwks', ARGV[5])
redis.call('XADD', BELL, 'MAXLEN', '=', '1', '*', 'new', '1')
return 1
