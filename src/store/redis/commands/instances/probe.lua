#!lua
-- Tests whether Redis takes writes. The shebang makes Redis refuse this script where it would refuse a commit: full, a
-- replica, or unable to persist. PING succeeds in all three cases.
-- KEYS  1 any key: it selects the node of a cluster
-- returns  1
return 1
