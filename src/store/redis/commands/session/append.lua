#!lua
-- Appends frames between two transitions: tokens of a running turn.
-- KEYS  1 session  2 lock  3 log  4 transcript  5 inbox  6 channel
-- ARGV  1 token  2 epoch  3 write id  4 expected head  5 lease ms  6 inbox taken
--       7 frame log max  8 hint ('' none)  then the frames' elements
-- returns  inbox length (0 …) committed | -1 fenced | -2 conflict
-- @include fence
-- @include frames
-- @include lease
local row = redis.call('HMGET', KEYS[1], 'token', 'epoch', 'wid', 'version', 'head', 'n')
if not owns(row, redis.call('GET', KEYS[2])) then return -1 end
if row[3] == ARGV[3] then return redis.call('LLEN', KEYS[5]) end
if not row[4] or row[5] ~= ARGV[4] then return -2 end

local head = addFrames(KEYS[3], tonumber(ARGV[4]), 9, ARGV[7])
if not head then return -2 end
redis.call('HSET', KEYS[1], 'wid', ARGV[3], 'head', string.format('%d', head))
if ARGV[6] ~= '0' then redis.call('LTRIM', KEYS[5], ARGV[6], -1) end

local waiting = extendLease(ARGV[1], ARGV[5], row[6])
if ARGV[8] ~= '' then redis.call('SPUBLISH', KEYS[6], ARGV[8]) end
return waiting
