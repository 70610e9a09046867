#!lua
-- Whether Redis takes writes, without one: by this shebang it refuses the script where it would refuse a commit,
-- being full, a replica, or unable to persist. A PING is answered all the while.
-- KEYS  1 any: which node of a cluster is asked
return 1
