#!lua flags=allow-oom
-- Registers an instance and lists the live ones. Redis' clock decides, so instances need not agree on theirs.
-- KEYS  1 instances
-- ARGV  1 instance  2 ttl ms
-- returns  the live instances, sorted by name
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
redis.call('ZADD', KEYS[1], string.format('%.0f', now + tonumber(ARGV[2])), ARGV[1])
local live = redis.call('ZRANGE', KEYS[1], 0, -1)
table.sort(live)
return live
