#!lua flags=allow-oom
-- Removes an instance from the live ones.
-- KEYS  1 instances
-- ARGV  1 instance
-- returns  1 removed | 0 unknown
return redis.call('ZREM', KEYS[1], ARGV[1])
