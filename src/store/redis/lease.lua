-- Included by every script after which an owner stays one. Their KEYS begin alike:
--       1 session  2 lock  3 log  4 transcript  5 inbox
-- A new lease, and nothing of the session is forgotten before the leak ttl is over; the session itself after
-- `sessionMs`, where that is said. Returned is the inbox length.
local function prolong(token, leaseMs, leakTtlMs, sessionMs)
  redis.call('SET', KEYS[2], token, 'PX', leaseMs)
  redis.call('PEXPIRE', KEYS[1], sessionMs or leakTtlMs)
  redis.call('PEXPIRE', KEYS[3], leakTtlMs)
  redis.call('PEXPIRE', KEYS[4], leakTtlMs)
  local waiting = redis.call('LLEN', KEYS[5])
  if waiting > 0 then redis.call('PEXPIRE', KEYS[5], leakTtlMs) end
  return waiting
end
