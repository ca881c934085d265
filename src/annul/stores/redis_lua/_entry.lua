-- An entry is an array of text; annul.stores.redis_rows reads and writes the same order.
local TAG, ISSUER, KIND, MARK, REASON, AT, EXPIRES, ID, ACTOR, LIFTS = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
