#!lua flags=allow-oom
-- A new lease for an owner that has nothing to write.
-- KEYS  1 session  2 lock  3 log  4 transcript  5 inbox
-- ARGV  1 token  2 epoch  3 lease ms  4 ms that a session without a first commit stays
-- returns  inbox length (0 …) renewed | -1 fenced
-- @include fence
-- @include lease
local row = redis.call('HMGET', KEYS[1], 'token', 'epoch', 'version')
if not stands(redis.call('GET', KEYS[2]), row[1], row[2], ARGV[1], ARGV[2]) then return -1 end
local waiting = prolong(ARGV[1], ARGV[3])
if not row[3] then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return waiting
