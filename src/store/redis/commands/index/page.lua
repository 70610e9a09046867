#!lua flags=allow-oom
-- Lists a page of one bucket's sessions in the order of "createdAt id".
-- KEYS  1 listing  2 channel
-- ARGV  1 states, between spaces ('' any)  2 '1' filters by user  3 user  4 "createdAt id" before the page ('' none)  5 limit
--       6 session key prefix
-- returns  "createdAt id" …
-- The script removes a listed session whose hash is gone: evicted, or deleted by an operator.
-- KEYS names the channel so that Redis refuses the script while the slot moves: see sweep.lua.
-- @include listing
local keys = {}
if ARGV[2] == '1' then
  keys[1] = KEYS[1] .. ':u:' .. ARGV[3]
elseif ARGV[1] ~= '' then
  for state in string.gmatch(ARGV[1], '%S+') do keys[#keys + 1] = KEYS[1] .. ':s:' .. state end
else
  for i, state in ipairs(redis.call('SMEMBERS', KEYS[1] .. ':states')) do keys[i] = KEYS[1] .. ':s:' .. state end
end

-- The next `count` members of all keys in order, and the key of each. A session is in one of the keys at most. All members
-- have one layout, so Lua's order, which follows the locale, is that of Redis.
local keyOf = {}
local function membersAfter(from, count)
  local members = {}
  for _, key in ipairs(keys) do
    for _, member in ipairs(redis.call('ZRANGE', key, from, '+', 'BYLEX', 'LIMIT', 0, count)) do
      members[#members + 1] = member
      keyOf[member] = key
    end
  end
  if #keys > 1 then table.sort(members) end
  for i = #members, count + 1, -1 do members[i] = nil end
  return members
end

-- A user has few sessions, a state has many: a query for both walks the user's.
local mixed = ARGV[2] == '1' and ARGV[1] ~= ''
local wanted = {}
for state in string.gmatch(ARGV[1], '%S+') do wanted[state] = true end
local limit = tonumber(ARGV[5])
local from = ARGV[4] == '' and '-' or '(' .. ARGV[4]
local found = {}
while #found < limit do
  local members = membersAfter(from, limit - #found)
  if #members == 0 then break end
  for _, member in ipairs(members) do
    local id = string.match(member, '^%d+ (.*)$')
    if redis.call('HEXISTS', ARGV[6] .. id, 'version') == 0 then
      relist(KEYS[1], id, redis.call('HGET', KEYS[1], id), nil)
      -- The loop must end even if hash and sorted set disagree.
      redis.call('ZREM', keyOf[member], member)
    elseif not mixed or wanted[string.match(redis.call('HGET', KEYS[1], id) or '', '^%d+ ([^ ]*)') or ''] then
      found[#found + 1] = member
    end
  end
  from = '(' .. members[#members]
end
return found
