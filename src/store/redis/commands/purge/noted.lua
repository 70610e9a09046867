#!lua flags=no-writes
-- Reads the note of files that may hold deleted bytes.
-- KEYS  1 purge
-- returns  note | false none
return redis.call('GET', KEYS[1])
