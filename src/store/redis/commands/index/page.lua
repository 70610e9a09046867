#!lua flags=allow-oom
-- Lists a page of one bucket's sessions in the order of "createdAt id".
-- KEYS  1 listing  2 channel
-- ARGV  1 state ('' any)  2 '1' filters by user  3 user  4 "createdAt id" before the page ('' none)  5 limit
--       6 session key prefix
-- returns  "createdAt id" …
-- The script removes a listed session whose hash is gone: evicted, or deleted by an operator.
-- KEYS names the channel so that Redis refuses the script while the slot moves: see sweep.lua.
-- @include listing
local key = KEYS[1] .. ':all'
if ARGV[2] == '1' then
  key = KEYS[1] .. ':u:' .. ARGV[3]
elseif ARGV[1] ~= '' then
  key = KEYS[1] .. ':s:' .. ARGV[1]
end
-- A user has few sessions, a state has many: a query for both walks the user's.
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
      -- The loop must end even if hash and sorted set disagree.
      redis.call('ZREM', key, member)
    elseif not mixed or string.match(redis.call('HGET', KEYS[1], id) or '', '^%d+ ([^ ]*)') == ARGV[1] then
      found[#found + 1] = member
    end
  end
  from = '(' .. members[#members]
end
return found
