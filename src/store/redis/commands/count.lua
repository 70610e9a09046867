#!lua flags=no-writes
-- KEYS  1 listing
-- returns  state, sessions of this bucket in it, …
local counts = {}
for _, state in ipairs(redis.call('SMEMBERS', KEYS[1] .. ':states')) do
  counts[#counts + 1] = state
  counts[#counts + 1] = redis.call('ZCARD', KEYS[1] .. ':s:' .. state)
end
return counts
