#!lua flags=allow-oom
-- Notes that the files may still hold deleted bytes. A later note replaces an earlier one: one rewrite covers both.
-- KEYS  1 purge
-- ARGV  1 note, another one for each call
-- returns  1
redis.call('SET', KEYS[1], ARGV[1])
return 1
