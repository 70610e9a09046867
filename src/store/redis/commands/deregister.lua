#!lua flags=allow-oom
-- KEYS  1 instances
-- ARGV  1 instance
return redis.call('ZREM', KEYS[1], ARGV[1])
