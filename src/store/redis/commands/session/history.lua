#!lua flags=no-writes
-- Reads a session with the records of its transitions.
-- KEYS  1 session  2 inbox  3 history  4 its pages
-- returns  nil if the session does not exist | {the row of read.lua, texts of one or more records}
-- @include history
-- @include snapshot
local row = redis.call('HMGET', KEYS[1], 'version', 'epoch', 'head', 'due', 'snap', 'instance', 'n')
if not row[1] then return false end
row[5] = snapshotOf(KEYS[1], row[5], row[7])
row[7] = redis.call('LLEN', KEYS[2])
return { row, readRecords(KEYS[3], KEYS[4]) }
