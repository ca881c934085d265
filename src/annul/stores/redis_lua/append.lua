-- ARGV: issuer, floor, then for each draft its entry and its mode
local head, refusal = founded(META)
if refusal then return refusal end
-- Everything is read before anything is written: a draft that cannot be read appends none.
local drafts = {}
for n = 3, #ARGV, 2 do drafts[n] = cjson.decode(ARGV[n]) end
open_epoch_if_behind(head, ARGV[2])
local before, entries = head.seq, {}
for n = 3, #ARGV, 2 do
    entries[#entries + 1] = append(head, drafts[n], ARGV[n], ARGV[n + 1])
end
if head.seq ~= before then ring_bell() end
return entries
