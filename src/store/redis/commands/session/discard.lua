#!lua flags=allow-oom
-- Deletes a session without reading it, unless a live claim holds it.
-- KEYS  1 session  2 lock  3 log  4 transcript  5 inbox  6 due  7 channel  8 listing  9 stage  10 history  11 its pages
-- ARGV  1 session id  2 hint of the end
-- returns  'discarded' | 'absent' | 'held'
-- No command here depends on the type of a session's keys, so one damaged key cannot keep the others.
-- @include listing
if redis.call('EXISTS', KEYS[2]) == 1 then return 'held' end
local gone = redis.call('DEL', KEYS[1], KEYS[3], KEYS[4], KEYS[5], KEYS[9], KEYS[10], KEYS[11])
gone = gone + redis.call('ZREM', KEYS[6], ARGV[1])
local listed = redis.call('HGET', KEYS[8], ARGV[1])
if listed then
  relist(KEYS[8], ARGV[1], listed, nil)
  gone = gone + 1
end
if gone == 0 then return 'absent' end
redis.call('SPUBLISH', KEYS[7], ARGV[2])
return 'discarded'
