#!lua
-- Tests whether Redis takes writes, and whether this user may run what sessions run. The shebang makes Redis refuse this
-- script where it would refuse a commit: full, a replica, or unable to persist. PING succeeds in all three cases.
-- KEYS  1 any key: it selects the node of a cluster
-- ARGV  calls to ask about: a command and its arguments, separated by spaces
-- returns  the calls that the user may not run; none if this Redis cannot tell
local denied = {}
if not redis.acl_check_cmd then return denied end
for _, call in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(call, '%S+') do words[#words + 1] = word end
  -- An unknown command, renamed or of a later version, is an error.
  local known, allowed = pcall(redis.acl_check_cmd, unpack(words))
  if not known or not allowed then denied[#denied + 1] = call end
end
return denied
