-- Included by every script that writes for an owner. Their KEYS and ARGV begin alike:
-- KEYS  1 session  2 lock
-- ARGV  1 token  2 epoch
-- Tells whether the fence holds: the session still has its token and epoch (`row` begins with them), and the lock
-- (`held`) is its own or free. An expired lease still writes until another claim takes the lock. The epoch alone is not
-- enough: an ended session leaves nothing behind, so its successor may get the same millisecond as its epoch.
local function owns(row, held)
  if held and held ~= ARGV[1] then return false end
  return row[1] == ARGV[1] and row[2] == ARGV[2]
end
