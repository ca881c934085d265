-- One page of the sessions in a range of the index that are alive.
-- ARGV: issuer, fingerprint of the whole issuer, now, from, to, page size, '1' to list them
-- Returns where the next page begins (empty after the last), how many, and which.
local head, refusal = founded(META)
if refusal then return refusal end
local members = redis.call('ZRANGEBYLEX', INDEX, ARGV[4], ARGV[5], 'LIMIT', 0, ARGV[6])
local count, alive = 0, {}
for _, member in ipairs(members) do
    local text = redis.call('HGET', SESSIONS, string.match(member, ':(%x+)$'))
    local row = cjson.decode(text)
    if within_limits(row, tonumber(ARGV[3])) and not covering(row, ARGV[2]) then
        count = count + 1
        if ARGV[7] == '1' then alive[count] = text end
    end
end
local more = #members == tonumber(ARGV[6]) and '(' .. members[#members] or ''
return {more, count, alive}
