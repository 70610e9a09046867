#!lua
-- Frames between two transitions: tokens of a turn that is running.
-- KEYS  1 session  2 lock  3 log  4 transcript  5 inbox  6 channel
-- ARGV  1 token  2 epoch  3 write id  4 expected head  5 lease ms  6 leak ttl ms  7 inbox taken
--       8 frame log max  9 hint ('' none)  then per frame data, aux
-- returns  inbox length (0 …) committed | -1 fenced | -2 conflict
-- @include fence
local row = redis.call('HMGET', KEYS[1], 'token', 'epoch', 'wid', 'version', 'head')
if not stands(redis.call('GET', KEYS[2]), row[1], row[2], ARGV[1], ARGV[2]) then return -1 end
if row[3] == ARGV[3] then return redis.call('LLEN', KEYS[5]) end
if not row[4] or row[5] ~= ARGV[4] then return -2 end

local head = tonumber(ARGV[4])
for i = 10, #ARGV, 2 do
  head = head + 1
  local id = string.format('%d-0', head)
  if ARGV[i + 1] == '' then
    redis.call('XADD', KEYS[3], 'MAXLEN', '=', ARGV[8], id, 'f', ARGV[i])
  else
    redis.call('XADD', KEYS[3], 'MAXLEN', '=', ARGV[8], id, 'f', ARGV[i], 'x', ARGV[i + 1])
  end
end
redis.call('HSET', KEYS[1], 'wid', ARGV[3], 'head', string.format('%d', head))
if ARGV[7] ~= '0' then redis.call('LTRIM', KEYS[5], ARGV[7], -1) end

redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[6])
redis.call('PEXPIRE', KEYS[3], ARGV[6])
redis.call('PEXPIRE', KEYS[4], ARGV[6])
local waiting = redis.call('LLEN', KEYS[5])
if waiting > 0 then redis.call('PEXPIRE', KEYS[5], ARGV[6]) end
if ARGV[9] ~= '' then redis.call('SPUBLISH', KEYS[6], ARGV[9]) end
return waiting
