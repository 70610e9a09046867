#!lua
-- Stores a part of a long log beside the session, under a lock, until `import` takes it.
-- KEYS  1 session  2 lock  3 stage
-- ARGV  1 token  2 '1' replaces  3 lease ms  4 frames staged before  then the elements of the log
-- returns  'staged' | 'exists' | 'held' | 'lost' the earlier parts are gone
-- @include frames
local held = redis.call('GET', KEYS[2])
if ARGV[2] ~= '1' and redis.call('HEXISTS', KEYS[1], 'version') == 1 then return 'exists' end
if held and held ~= ARGV[1] then return 'held' end
if ARGV[4] == '0' then redis.call('DEL', KEYS[3]) end
if redis.call('LLEN', KEYS[3]) ~= tonumber(ARGV[4]) then return 'lost' end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
addFrames(KEYS[3], 0, 5)
redis.call('PEXPIRE', KEYS[3], ARGV[3])
return 'staged'
