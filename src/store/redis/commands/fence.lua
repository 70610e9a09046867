-- Included at the top of every script that writes for an owner.
-- A fence stands when the session still carries its token and epoch (no later claim), and the lock is either
-- its own or nobody's: a lease that ran out but was taken by nobody still writes. The token is compared as well
-- as the epoch because nothing is left of an ended session: its successor may be claimed in the same millisecond.
local function stands(held, storedToken, storedEpoch, token, epoch)
  if held and held ~= token then return false end
  return storedToken == token and storedEpoch == epoch
end
