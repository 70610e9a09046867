-- Included by every script that extends a lease. Their KEYS begin alike:
-- KEYS  1 session  2 lock  3 log  4 transcript  5 inbox
-- Extends the owner's lease and returns the inbox length. A stored session has no time limit: an earlier version set one
-- on all these keys together, so each call removes it. It stored no `n` (snapshot.lua), so a session that has one has no
-- limit.
local function extendLease(token, leaseMs, n)
  redis.call('SET', KEYS[2], token, 'PX', leaseMs)
  if not n and redis.call('PERSIST', KEYS[1]) == 1 then
    for key = 3, 5 do redis.call('PERSIST', KEYS[key]) end
  end
  return redis.call('LLEN', KEYS[5])
end
