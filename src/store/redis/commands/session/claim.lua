#!lua flags=allow-oom
-- Completes a claim: redlock has the lock, now the session gets its new owner and the owner gets the session.
-- KEYS  1 session  2 lock  3 inbox
-- ARGV  1 token  2 instance  3 lease ms  4 ms that an uncommitted session stays
-- returns  {} another claim took the lock | {epoch} no session yet | {epoch, the row of read.lua}
-- The epoch grows with claims and with the clock: after a failover that lost acknowledged writes, a counter alone would
-- repeat epochs of the lost timeline.
-- allow-oom: on a full Redis a sweeper must still claim the session that it will delete.
local held = redis.call('GET', KEYS[2])
if held and held ~= ARGV[1] then return {} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[3])
local row = redis.call('HMGET', KEYS[1], 'version', 'epoch', 'head', 'due', 'snap')
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local epoch = math.max(tonumber(row[2] or '0') + 1, now)
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', epoch), 'token', ARGV[1], 'instance', ARGV[2])
if not row[1] then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
  return { epoch }
end
row[2], row[6], row[7] = epoch, ARGV[2], redis.call('LLEN', KEYS[3])
return { epoch, row }
