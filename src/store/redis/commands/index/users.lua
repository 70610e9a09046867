#!lua flags=no-writes
-- Counts the sessions of a user in these buckets, and stops once there are enough.
-- KEYS  listings, one per bucket
-- ARGV  1 user  2 how many are enough
-- returns  number of sessions
local places = {}
for i, listing in ipairs(KEYS) do places[i] = listing .. ':u:' .. ARGV[1] end
-- Most users that begin a session have no other: one command then replaces one per bucket.
if redis.call('EXISTS', unpack(places)) == 0 then return 0 end
local upTo = tonumber(ARGV[2])
local sessions = 0
for _, place in ipairs(places) do
  sessions = sessions + redis.call('ZCARD', place)
  if sessions >= upTo then break end
end
return sessions
