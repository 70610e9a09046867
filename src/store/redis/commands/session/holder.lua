#!lua flags=no-writes
-- Tells which instance holds a locked session.
-- KEYS  1 session  2 lock
-- returns  {instance, or '' until its claim is complete; ms left of its lease}
local row = redis.call('HMGET', KEYS[1], 'token', 'instance')
local held = redis.call('GET', KEYS[2])
local left = math.max(redis.call('PTTL', KEYS[2]), 0)
if held and held == row[1] then return { row[2], left } end
return { '', left }
