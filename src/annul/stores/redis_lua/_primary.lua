-- Which history of writes this server is in: a replica that is promoted begins another one. It may
-- lack what the last primary had given out positions for without all nodes having confirmed it.
local function primary_id()
    return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end
