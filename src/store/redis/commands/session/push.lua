#!lua
-- Puts input from an instance that is not the owner into the inbox.
-- KEYS  1 session  2 lock  3 inbox  4 due
-- ARGV  1 session id  2 entry  3 now  4 inbox max
-- returns  -1 absent | -2 full | the owner's instance | nil without an owner, or until its claim is complete
local row = redis.call('HMGET', KEYS[1], 'version', 'token', 'instance', 'idx', 'hidden')
if not row[1] then return -1 end
if redis.call('LLEN', KEYS[3]) >= tonumber(ARGV[4]) then return -2 end
redis.call('RPUSH', KEYS[3], ARGV[2])
redis.call('PERSIST', KEYS[3])

-- A sweeper must find waiting input: now if the session has no owner, else when the lease of a dead owner ends. A sweeper
-- that already has the session keeps its turn.
local held = redis.call('GET', KEYS[2])
local wake = tonumber(ARGV[3])
if held then wake = wake + math.max(redis.call('PTTL', KEYS[2]), 1) end
if row[5] then wake = math.max(wake, tonumber(row[5])) end
if not row[4] or wake < tonumber(row[4]) then
  local score = string.format('%.0f', wake)
  redis.call('ZADD', KEYS[4], score, ARGV[1])
  redis.call('HSET', KEYS[1], 'idx', score)
end
-- Until a claim is complete the session still names its former owner.
if held and held == row[2] then return row[3] end
return false
