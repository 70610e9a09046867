#!lua flags=no-writes
-- Reads a page of a session's log.
-- KEYS  1 session  2 log
-- ARGV  1 offset of the first frame  2 limit
-- returns  nil if the session does not exist | {head, number of frames kept, elements}
-- @include frames
local row = redis.call('HMGET', KEYS[1], 'version', 'head')
if not row[1] then return false end
return { row[2], readFrames(KEYS[2], tonumber(row[2]), tonumber(ARGV[1]), tonumber(ARGV[2])) }
