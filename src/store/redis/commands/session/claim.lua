#!lua flags=allow-oom
-- Claims a session: redlock's own script takes the lock, then the session gets its new owner and the owner gets the
-- session. A claim that another one precedes changes nothing.
-- KEYS  1 lock  2 session  3 inbox
-- ARGV  1 token  2 lease ms  3 instance  4 ms that an uncommitted session stays
-- returns  {0, holder's instance or '' if it is unknown, ms left of its lease} another claim holds the lock
--          {1, epoch} no session yet | {1, epoch, the row of read.lua}
-- The epoch grows with claims and with the clock: after a failover that lost acknowledged writes, a counter alone would
-- repeat epochs of the lost timeline.
-- allow-oom: on a full Redis a sweeper must still claim the session that it will delete.
-- @include snapshot
local function acquire(KEYS, ARGV)
  -- @redlock acquire
end

if acquire({ KEYS[1] }, { ARGV[1], ARGV[2] }) == 0 then
  local owner = redis.call('HMGET', KEYS[2], 'token', 'instance')
  local known = owner[1] == redis.call('GET', KEYS[1])
  return { 0, known and owner[2] or '', math.max(redis.call('PTTL', KEYS[1]), 0) }
end

local row = redis.call('HMGET', KEYS[2], 'version', 'epoch', 'head', 'due', 'snap', 'instance', 'n')
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local epoch = math.max(tonumber(row[2] or '0') + 1, now)
redis.call('HSET', KEYS[2], 'epoch', string.format('%.0f', epoch), 'token', ARGV[1], 'instance', ARGV[3])
if not row[1] then
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
  return { 1, epoch }
end
row[2], row[5], row[6], row[7] = epoch, snapshotOf(KEYS[2], row[5], row[7]), ARGV[3], redis.call('LLEN', KEYS[3])
return { 1, epoch, row }
