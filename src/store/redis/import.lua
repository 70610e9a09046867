#!lua
-- Makes a session what a dump says. A full Redis refuses it whole: the shebang sees to that.
-- KEYS  1 session  2 lock  3 log  4 transcript  5 inbox  6 due  7 listing  8 stage
-- ARGV  1 session id  2 token of the stage's lock ('' none)  3 '1' replaces  4 leak ttl ms
--       5 version  6 epoch  7 head  8 snapshot  9 instance  10 due at ('' none)  11 deadline index ('' none)
--       12 how it is listed  13 frames staged  14 message ids  15 transcript entries  16 inbox entries
--       then the ids, the entries, and per frame data, aux
-- returns  'imported' | 'exists' | 'held' | 'lost' the staged log is gone
-- No token is stored, so every fence of the time before is refused.
-- @include frames
-- @include listing
local held = redis.call('GET', KEYS[2])
if ARGV[3] ~= '1' and redis.call('HEXISTS', KEYS[1], 'version') == 1 then return 'exists' end
if held and held ~= ARGV[2] then return 'held' end
local staged = tonumber(ARGV[13])
if staged > 0 and redis.call('XLEN', KEYS[8]) ~= staged then return 'lost' end

redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
redis.call('ZREM', KEYS[6], ARGV[1])
redis.call('HSET', KEYS[1], 'version', ARGV[5], 'epoch', ARGV[6], 'head', ARGV[7], 'snap', ARGV[8],
  'instance', ARGV[9], 'due', ARGV[10])
if ARGV[11] ~= '' then
  redis.call('ZADD', KEYS[6], ARGV[11], ARGV[1])
  redis.call('HSET', KEYS[1], 'idx', ARGV[11])
end
relist(KEYS[7], ARGV[1], redis.call('HGET', KEYS[7], ARGV[1]), ARGV[12])

local at = 16
for i = at + 1, at + tonumber(ARGV[14]) do redis.call('HSET', KEYS[1], 'm:' .. ARGV[i], '1') end
at = at + tonumber(ARGV[14])
for i = at + 1, at + tonumber(ARGV[15]) do redis.call('RPUSH', KEYS[4], ARGV[i]) end
at = at + tonumber(ARGV[15])
for i = at + 1, at + tonumber(ARGV[16]) do redis.call('RPUSH', KEYS[5], ARGV[i]) end
at = at + tonumber(ARGV[16])
if staged > 0 then redis.call('RENAME', KEYS[8], KEYS[3]) end
addFrames(KEYS[3], tonumber(ARGV[7]) - (#ARGV - at) / 2, at + 1)
for _, key in ipairs({ KEYS[1], KEYS[3], KEYS[4], KEYS[5] }) do redis.call('PEXPIRE', key, ARGV[4]) end
return 'imported'
