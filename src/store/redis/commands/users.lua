#!lua flags=no-writes
-- KEYS  listings, each of a bucket
-- ARGV  1 user  2 how many are enough
-- returns  how many sessions of the user these buckets have; no more are counted once there are enough
local places = {}
for i, listing in ipairs(KEYS) do places[i] = listing .. ':u:' .. ARGV[1] end
-- Most who begin a session have no other: one command instead of one for each bucket.
if redis.call('EXISTS', unpack(places)) == 0 then return 0 end
local upTo = tonumber(ARGV[2])
local sessions = 0
for _, place in ipairs(places) do
  sessions = sessions + redis.call('ZCARD', place)
  if sessions >= upTo then break end
end
return sessions
