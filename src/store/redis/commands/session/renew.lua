#!lua flags=allow-oom
-- Extends the lease of an owner that has nothing to write.
-- KEYS  1 session  2 lock  3 log  4 transcript  5 inbox
-- ARGV  1 token  2 epoch  3 lease ms  4 ms that an uncommitted session stays
-- returns  inbox length (0 …) renewed | -1 fenced
-- @include fence
-- @include lease
local row = redis.call('HMGET', KEYS[1], 'token', 'epoch', 'version')
if not owns(row, redis.call('GET', KEYS[2])) then return -1 end
local waiting = extendLease(ARGV[1], ARGV[3])
if not row[3] then redis.call('PEXPIRE', KEYS[1], ARGV[4]) end
return waiting
