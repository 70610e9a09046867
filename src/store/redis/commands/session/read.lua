#!lua flags=no-writes
-- Reads a session without its log and transcript.
-- KEYS  1 session  2 inbox
-- returns  nil if the session does not exist | {version, epoch, head, due, snapshot, instance, inbox length}
-- @include snapshot
local row = redis.call('HMGET', KEYS[1], 'version', 'epoch', 'head', 'due', 'snap', 'instance', 'n')
if not row[1] then return false end
row[5] = snapshotOf(KEYS[1], row[5], row[7])
row[7] = redis.call('LLEN', KEYS[2])
return row
