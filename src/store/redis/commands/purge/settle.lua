#!lua flags=allow-oom
-- Removes the note that a rewrite has settled. A note of a later deletion stays: the rewrite may have begun before it.
-- KEYS  1 purge
-- ARGV  1 note that stood when the rewrite began
-- returns  1 removed | 0 another one stays
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
