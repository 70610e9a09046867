#!lua flags=no-writes
-- All entries of a session's transcript or inbox.
-- KEYS  1 list
return redis.call('LRANGE', KEYS[1], 0, -1)
