#!lua flags=no-writes
-- Exports a session with the first page of its log.
-- KEYS  1 session  2 lock  3 log  4 transcript  5 inbox  6 listing  7 history  8 its pages
-- ARGV  1 session id  2 frames per page
-- returns  nil if the session does not exist
--          | {the row of read.lua, its entry in the listing or nil, '1' if held, message ids, transcript, inbox,
--             texts of one or more records of the history,
--             number of frames kept, the first elements of the log}
-- @include frames
-- @include history
-- @include snapshot
local row = redis.call('HMGET', KEYS[1], 'version', 'epoch', 'head', 'due', 'snap', 'instance', 'n')
if not row[1] then return false end
row[5] = snapshotOf(KEYS[1], row[5], row[7])
row[7] = redis.call('LLEN', KEYS[5])
local ids = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if string.sub(field, 1, 2) == 'm:' then ids[#ids + 1] = string.sub(field, 3) end
end
return {
  row,
  redis.call('HGET', KEYS[6], ARGV[1]),
  redis.call('EXISTS', KEYS[2]) == 1 and '1' or '0',
  ids,
  redis.call('LRANGE', KEYS[4], 0, -1),
  redis.call('LRANGE', KEYS[5], 0, -1),
  readRecords(KEYS[7], KEYS[8]),
  readFrames(KEYS[3], tonumber(row[3]), 1, tonumber(ARGV[2])),
}
