#!lua flags=allow-oom
-- Gives the session up; refuses while its inbox has entries.
-- KEYS  1 session  2 lock  3 inbox  4 channel
-- ARGV  1 token  2 epoch  3 hint ('' none)
-- returns  0 released | -1 fenced | -2 pending
-- A released claim must not write again, so a dash goes before its token. The token stays readable, because an owner
-- whose reply was lost repeats the release.
-- @include fence
local row = redis.call('HMGET', KEYS[1], 'token', 'epoch', 'version')
local held = redis.call('GET', KEYS[2])
if row[1] == '-' .. ARGV[1] then return 0 end
if not row[2] and (not held or held == ARGV[1]) then
  redis.call('DEL', KEYS[2])
  return 0
end
if not owns(row, held) then return -1 end
if redis.call('LLEN', KEYS[3]) > 0 then return -2 end
redis.call('DEL', KEYS[2])
if row[3] then
  redis.call('HSET', KEYS[1], 'token', '-' .. ARGV[1])
else
  redis.call('DEL', KEYS[1])
end
if ARGV[3] ~= '' then redis.call('SPUBLISH', KEYS[4], ARGV[3]) end
return 0
