#!lua flags=no-writes
-- Reads a page of a session's log.
-- KEYS  1 session  2 log
-- ARGV  1 id of the first frame  2 limit
-- returns  nil if the session does not exist | {head, number of frames kept, entries}
local row = redis.call('HMGET', KEYS[1], 'version', 'head')
if not row[1] then return false end
local entries = {}
if tonumber(ARGV[2]) > 0 then entries = redis.call('XRANGE', KEYS[2], ARGV[1], '+', 'COUNT', ARGV[2]) end
return { row[2], redis.call('XLEN', KEYS[2]), entries }
