-- Drops one page of the sessions that a cut-off covers, before it is forgotten: none of them may
-- come back to life. All of them began before it, so none can be added meanwhile.
-- ARGV: issuer, id of the entry, where the page begins, page size
-- Returns where the next page begins, empty after the last.
local head, refusal = founded(META)
if refusal then return refusal end
local found = redis.call('XRANGE', LOG, ARGV[2], ARGV[2])[1]
if not found then return '' end
local entry = cjson.decode(found[2][2])
local field = ({subject = 'subject_mark', client = 'client_mark'})[entry[KIND]]
local before = redis.call('ZRANGEBYLEX', INDEX, ARGV[3],
    '(' .. padded(string.match(ARGV[2], '^(%d+)-(%d+)$')), 'LIMIT', 0, ARGV[4])
for _, place in ipairs(before) do
    local mark = string.match(place, ':(%x+)$')
    local row = cjson.decode(redis.call('HGET', SESSIONS, mark))
    if not field or row[field] == entry[MARK] then drop_session(mark) end
end
return #before == tonumber(ARGV[4]) and '(' .. before[#before] or ''
