-- Included by every script after which an owner stays one. Their KEYS begin alike:
--       1 session  2 lock  3 log  4 transcript  5 inbox
-- Gives the owner a new lease. A stored session has no time limit: only a write that ends it removes it. An earlier
-- version set limits on these keys, so each is taken off here. Returned is the inbox length.
local function prolong(token, leaseMs)
  redis.call('SET', KEYS[2], token, 'PX', leaseMs)
  for _, key in ipairs({ KEYS[1], KEYS[3], KEYS[4], KEYS[5] }) do redis.call('PERSIST', key) end
  return redis.call('LLEN', KEYS[5])
end
