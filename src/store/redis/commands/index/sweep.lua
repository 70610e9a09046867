#!lua flags=allow-oom
-- Finds the sessions of a bucket that are due and have no owner, and hides each for a while from other sweepers.
-- KEYS  1 due  2 listing  3 channel
-- ARGV  1 now  2 limit  3 visibility ms  4 session key prefix  5 lock key prefix  6 inbox key prefix
--       7 log key prefix  8 transcript key prefix  9 history key prefix
--       10 key prefix of its pages
-- returns  {session ids, the earliest remaining score or '', ids of lost sessions}
-- A session is lost if the index knows it and its hash is gone: Redis evicted it, or an operator deleted it. No instance
-- can read the rest, so the script deletes the rest and returns the id for the log.
-- The script builds the sessions' keys from prefixes with the same hash tag, hence in the same slot. While that slot moves
-- to another master, keys that moved already would look deleted, and their sessions would leave the index forever. So
-- KEYS names the channel: no such key exists, and a missing key makes Redis answer TRYAGAIN during the move.
-- allow-oom: on a full Redis a sweep makes room.
-- @include listing
local LOOKED_AT_MAX = 1000
local now = tonumber(ARGV[1])
local limit = tonumber(ARGV[2])
local shown = {}
local lost = {}
local looked = 0

local function moveTo(id, time)
  local score = string.format('%.0f', time)
  redis.call('ZADD', KEYS[1], score, id)
  redis.call('HSET', ARGV[4] .. id, 'idx', score)
end

while #shown < limit and looked < LOOKED_AT_MAX do
  local members = redis.call('ZRANGE', KEYS[1], '-inf', ARGV[1], 'BYSCORE', 'LIMIT', 0, limit - #shown)
  if #members == 0 then break end
  for _, id in ipairs(members) do
    looked = looked + 1
    local row = redis.call('HMGET', ARGV[4] .. id, 'version', 'due')
    local due = tonumber(row[2] or '')
    local waits = redis.call('LLEN', ARGV[6] .. id) > 0
    if not row[1] then
      redis.call('ZREM', KEYS[1], id)
      relist(KEYS[2], id, redis.call('HGET', KEYS[2], id), nil)
      redis.call('DEL', ARGV[6] .. id, ARGV[7] .. id, ARGV[8] .. id, ARGV[9] .. id, ARGV[10] .. id)
      lost[#lost + 1] = id
    elseif not waits and not due then
      redis.call('ZREM', KEYS[1], id)
      redis.call('HDEL', ARGV[4] .. id, 'idx', 'hidden')
    elseif not waits and due > now then
      moveTo(id, due)
    else
      local leaseLeft = redis.call('PTTL', ARGV[5] .. id)
      if leaseLeft >= 0 then
        -- The session has an owner. If that owner dies, only this index knows the deadline: look again after the lease.
        moveTo(id, now + math.max(leaseLeft, 1))
      else
        local again = now + math.max(tonumber(ARGV[3]), 1)
        moveTo(id, again)
        redis.call('HSET', ARGV[4] .. id, 'hidden', string.format('%.0f', again))
        -- An earlier version gave these keys a time limit; a session that waits for the archive must outlive it.
        for prefix = 4, 8 do
          if prefix ~= 5 then redis.call('PERSIST', ARGV[prefix] .. id) end
        end
        shown[#shown + 1] = id
      end
    end
  end
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return { shown, first[2] or '', lost }
