-- An entry is an array of text; annul.stores.redis_rows reads and writes the same order.
local TAG, ISSUER, KIND, MARK, REASON, AT = 1, 2, 3, 4, 5, 6
local EXPIRES, ID, ACTOR, LIFTS, PROOF = 7, 8, 9, 10, 11
