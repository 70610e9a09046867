-- Included by every script that changes a listing.
-- A bucket's listing is a hash: session id → "createdAt state" or "createdAt state user". Beside it are sorted sets of
-- "createdAt id", at score 0, for each state and each user; and a set of states. The listing goes with the bucket's last
-- session, so an ended session leaves no trace. An earlier version had one more sorted set, of all sessions.
-- The hash outlives the session's keys: it shows where to unlist a session that was evicted or deleted by an operator.
local function placesOf(listing, id, entry)
  if not entry then return {}, nil end
  local created, state, named, user = string.match(entry, '^(%d+) ([^ ]*)( ?)(.*)$')
  if not created then return {}, nil end
  local places = { listing .. ':s:' .. state }
  if named == ' ' then places[2] = listing .. ':u:' .. user end
  return places, created .. ' ' .. id, state
end

-- Moves a session from the places of entry `old` to those of `new`; either may be nil. Touches only what changes.
local function relist(listing, id, old, new)
  local was, formerMember = placesOf(listing, id, old or nil)
  local is, member, state = placesOf(listing, id, new)
  local stays = {}
  if formerMember == member then
    for _, key in ipairs(is) do stays[key] = true end
  end
  local listed = {}
  for _, key in ipairs(was) do
    if stays[key] then listed[key] = true else redis.call('ZREM', key, formerMember) end
  end
  for _, key in ipairs(is) do
    if not listed[key] then redis.call('ZADD', key, 0, member) end
  end
  if new then
    redis.call('SADD', listing .. ':states', state)
    redis.call('HSET', listing, id, new)
  else
    redis.call('HDEL', listing, id)
    if formerMember then redis.call('ZREM', listing .. ':all', formerMember) end
    if redis.call('EXISTS', listing) == 0 then redis.call('DEL', listing .. ':states') end
  end
end
