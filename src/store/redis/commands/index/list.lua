#!lua flags=no-writes
-- Reads a session's inbox.
-- KEYS  1 inbox
-- returns  its entries, in order
return redis.call('LRANGE', KEYS[1], 0, -1)
