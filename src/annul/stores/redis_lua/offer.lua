-- Puts entries into the inbox while there is room.
-- ARGV: most, then for each entry its tag and its line "id entry"
for n = 2, #ARGV, 2 do
    if redis.call('HLEN', INBOX) < tonumber(ARGV[1]) then
        redis.call('HSETNX', INBOX, ARGV[n], ARGV[n + 1])
    end
end
return 1
