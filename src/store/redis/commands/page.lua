#!lua flags=allow-oom
-- A page of one bucket's sessions, in the order of "createdAt id".
-- KEYS  1 listing  2 channel
-- ARGV  1 state ('' any)  2 '1' of one user only  3 user  4 "createdAt id" to go on after ('' none)  5 limit
--       6 session key prefix
-- returns  "createdAt id" …
-- A listed session whose hash is gone (evicted, or deleted by hand) leaves the listing here.
-- The channel is named so that nothing is while the slot moves: see sweep.lua.
-- @include listing
local key = KEYS[1] .. ':all'
if ARGV[2] == '1' then
  key = KEYS[1] .. ':u:' .. ARGV[3]
elseif ARGV[1] ~= '' then
  key = KEYS[1] .. ':s:' .. ARGV[1]
end
-- A user's sessions are few, a state's are many: who asks for both walks along the former.
local mixed = ARGV[2] == '1' and ARGV[1] ~= ''
local limit = tonumber(ARGV[5])
local from = ARGV[4] == '' and '-' or '(' .. ARGV[4]
local found = {}
while #found < limit do
  local members = redis.call('ZRANGE', key, from, '+', 'BYLEX', 'LIMIT', 0, limit - #found)
  if #members == 0 then break end
  for _, member in ipairs(members) do
    local id = string.match(member, '^%d+ (.*)$')
    if redis.call('HEXISTS', ARGV[6] .. id, 'version') == 0 then
      relist(KEYS[1], id, redis.call('HGET', KEYS[1], id), nil)
      -- Should hash and sorted set ever disagree, this loop must still end.
      redis.call('ZREM', key, member)
    elseif not mixed or string.match(redis.call('HGET', KEYS[1], id) or '', '^%d+ ([^ ]*)') == ARGV[1] then
      found[#found + 1] = member
    end
  end
  from = '(' .. members[#members]
end
return found
