#!lua flags=no-writes
-- Counts a bucket's sessions by state.
-- KEYS  1 listing
-- returns  state, number of sessions, …
local counts = {}
for _, state in ipairs(redis.call('SMEMBERS', KEYS[1] .. ':states')) do
  counts[#counts + 1] = state
  counts[#counts + 1] = redis.call('ZCARD', KEYS[1] .. ':s:' .. state)
end
return counts
