#!lua
-- Replaces a session by a dump. The shebang makes a full Redis refuse the whole script.
-- KEYS  1 session  2 lock  3 log  4 transcript  5 inbox  6 due  7 listing  8 stage  9 history  10 its pages
-- ARGV  1 session id  2 token of the stage's lock ('' none)  3 '1' replaces
--       4 version  5 epoch  6 head  7 snapshot  8 instance  9 due at ('' none)  10 deadline index ('' none)
--       11 entry in the listing  12 frames staged  13 message ids  14 transcript entries  15 inbox entries  16 records of the history  17 number that it keeps
--       then the ids, the entries, the records, and the elements of the log
-- returns  'imported' | 'exists' | 'held' | 'lost' the staged log is gone
-- The session has no token then, so every earlier fence is refused.
-- @include frames
-- @include history
-- @include listing
-- @include snapshot
local held = redis.call('GET', KEYS[2])
if ARGV[3] ~= '1' and redis.call('HEXISTS', KEYS[1], 'version') == 1 then return 'exists' end
if held and held ~= ARGV[2] then return 'held' end
local staged = tonumber(ARGV[12])
if staged > 0 and redis.call('LLEN', KEYS[8]) ~= staged then return 'lost' end

redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[9], KEYS[10])
redis.call('ZREM', KEYS[6], ARGV[1])
local row = { 'version', ARGV[4], 'epoch', ARGV[5], 'head', ARGV[6], 'instance', ARGV[8], 'due', ARGV[9] }
storeWith(KEYS[1], row, ARGV[7], false, nil)
if ARGV[10] ~= '' then
  redis.call('ZADD', KEYS[6], ARGV[10], ARGV[1])
  redis.call('HSET', KEYS[1], 'idx', ARGV[10])
end
relist(KEYS[7], ARGV[1], redis.call('HGET', KEYS[7], ARGV[1]), ARGV[11])

local at = 17
for i = at + 1, at + tonumber(ARGV[13]) do redis.call('HSET', KEYS[1], 'm:' .. ARGV[i], '1') end
at = at + tonumber(ARGV[13])
for i = at + 1, at + tonumber(ARGV[14]) do redis.call('RPUSH', KEYS[4], ARGV[i]) end
at = at + tonumber(ARGV[14])
for i = at + 1, at + tonumber(ARGV[15]) do redis.call('RPUSH', KEYS[5], ARGV[i]) end
at = at + tonumber(ARGV[15])
for i = at + 1, at + tonumber(ARGV[16]) do addRecord(KEYS[9], KEYS[10], ARGV[i], tonumber(ARGV[17])) end
at = at + tonumber(ARGV[16])
if staged > 0 then
  redis.call('RENAME', KEYS[8], KEYS[3])
  -- The stage has a time limit, the log has none.
  redis.call('PERSIST', KEYS[3])
end
addFrames(KEYS[3], 0, at + 1)
return 'imported'
