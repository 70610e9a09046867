#!lua flags=no-writes
-- Reads a session's transcript or inbox.
-- KEYS  1 transcript or inbox
-- returns  its entries, in order
return redis.call('LRANGE', KEYS[1], 0, -1)
