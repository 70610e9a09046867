#!lua
-- Adds to a tally and returns its total. The expiry moves with each addition, so it may not depend on the first one.
-- KEYS  1 tally
-- ARGV  1 addition, 0 only reads  2 expiry, ms since the epoch
-- returns  the total
if tonumber(ARGV[1]) == 0 then return tonumber(redis.call('GET', KEYS[1]) or 0) end
local total = redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('PEXPIREAT', KEYS[1], ARGV[2])
return total
