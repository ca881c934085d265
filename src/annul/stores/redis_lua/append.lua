-- ARGV: issuer, then for each draft its entry and its mode
local head, refusal = founded(META)
if refusal then return refusal end
-- Everything is read before anything is written: a draft that cannot be read appends none.
local drafts = {}
for n = 2, #ARGV, 2 do drafts[n] = cjson.decode(ARGV[n]) end
local before, entries = head.seq, {}
for n = 2, #ARGV, 2 do
    entries[#entries + 1] = append(head, drafts[n], ARGV[n], ARGV[n + 1])
end
if head.seq ~= before then ring_bell() end
return entries
