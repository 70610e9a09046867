-- Included by every script that lists a session, anew or no more.
-- A bucket's listing is a hash: session id → "createdAt state" or "createdAt state user". Beside it, at score 0, are
-- sorted sets of "createdAt id": of all, of each state, of each user; and the set of states that were. With its last
-- session a bucket's listing is gone: nothing of an ended session stays behind.
-- The hash outlives the session's own keys: when those are evicted or deleted by hand, it tells where to unlist them.
local function placesOf(listing, id, entry)
  if not entry then return {}, nil end
  local created, state, named, user = string.match(entry, '^(%d+) ([^ ]*)( ?)(.*)$')
  if not created then return {}, nil end
  local places = { listing .. ':all', listing .. ':s:' .. state }
  if named == ' ' then places[3] = listing .. ':u:' .. user end
  return places, created .. ' ' .. id, state
end

-- Moves a session from where `old` lists it to where `new` does; either may be nil. Touches only what changes.
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
    if redis.call('EXISTS', listing) == 0 then redis.call('DEL', listing .. ':states') end
  end
end
