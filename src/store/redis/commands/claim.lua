#!lua flags=allow-oom
-- The second half of a claim: redlock has the lock, now the session learns its new owner and is read.
-- KEYS  1 session  2 lock  3 inbox
-- ARGV  1 token  2 instance  3 lease ms  4 ms that a session without a first commit stays
-- returns  {} lock was taken by another meanwhile | {epoch} no session yet
--          | {epoch, version, head, due, snapshot, inbox length}
-- The epoch grows with the clock as well as with claims: after a failover that lost acknowledged writes the counting
-- alone would give out epochs of the lost timeline again.
-- allow-oom: a full Redis must still let a sweeper claim what it will delete.
local held = redis.call('GET', KEYS[2])
if held and held ~= ARGV[1] then return {} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
local row = redis.call('HMGET', KEYS[1], 'version', 'head', 'due', 'snap', 'epoch')
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local epoch = math.max(tonumber(row[5] or '0') + 1, now)
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', epoch), 'token', ARGV[1], 'instance', ARGV[2])
if not row[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return { epoch }
end
return { epoch, row[1], row[2], row[3], row[4], redis.call('LLEN', KEYS[3]) }
