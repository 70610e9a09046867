-- Stores one transition of a session atomically.
-- KEYS  1 session  2 lock  3 log  4 transcript  5 inbox  6 due  7 channel  8 listing  9 history  10 its pages
-- ARGV  1 token  2 epoch  3 write id  4 expected version  5 expected head  6 snapshot  7 due at ('' none)
--       8 lease ms  9 inbox taken  10 frame log max  11 hint ('' none)
--       12 '' goes on | ends: number of frames of the log's tail to put before those of the hint
--       13 session id  14 message ids  15 transcript entries  16 entry in the listing
--       17 offset of the first frame that needs no aux from here on ('' none)  18 offset of the last one
--       19 record of the history ('' none)  20 number of records that the history keeps
--       then the ids, the entries, and the frames' elements
-- returns  inbox length (0 …) committed | -1 fenced | -2 conflict | the message id that is already taken
-- No shebang on purpose: a full Redis then refuses the first HSET or RPUSH but lets an ending delete. Apart from
-- removing remains, no write that a full Redis allows may come before them, or Redis would apply half a commit.
-- @include fence
-- @include frames
-- @include history
-- @include lease
-- @include listing
-- @include snapshot

local TAIL_BYTES = 65536

-- The hint of an end is `e<session id>\n[frames]`: adds the end of the log. The reader applies the limits of log.ts to it,
-- and needs a few elements more to tell the first ones.
local function withTail(hint)
  local tail = {}
  local bytes = 0
  local head = tonumber(ARGV[5])
  local most = tonumber(ARGV[12]) + PER_READ
  local _, elements = readFrames(KEYS[3], head, head - most + 1, most)
  for i = #elements, 1, -1 do
    local element = string.match(elements[i], '^[^\n]*')
    bytes = bytes + #element
    if bytes > TAIL_BYTES then break end
    table.insert(tail, 1, element)
  end
  local before, frames = string.match(hint, '^(e[^\n]*\n)(%[.*)$')
  if #tail == 0 or not before then return hint end
  return string.format('%s{"from":%d,"tail":%s,"frames":%s}', before, head - #tail + 1, cjson.encode(tail), frames)
end

local ids = tonumber(ARGV[14])
local fields = { 'token', 'epoch', 'wid', 'version', 'head', 'idx', 'n' }
for i = 1, ids do fields[7 + i] = 'm:' .. ARGV[20 + i] end
local row = redis.call('HMGET', KEYS[1], unpack(fields))
local held = redis.call('GET', KEYS[2])
local ends = ARGV[12] ~= ''

-- An ended session leaves nothing behind, so a repeated ending finds nothing.
if not row[2] and ends and (not held or held == ARGV[1]) then
  redis.call('DEL', KEYS[2])
  return 0
end
if not owns(row, held) then return -1 end
if row[3] == ARGV[3] then return redis.call('LLEN', KEYS[5]) end
if (row[4] or '0') ~= ARGV[4] or (row[5] or '0') ~= ARGV[5] then return -2 end
for i = 1, ids do
  if row[7 + i] then return ARGV[20 + i] end
end

if ends then
  local hint = ARGV[11]
  if hint ~= '' and ARGV[12] ~= '0' then hint = withTail(hint) end
  redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[9], KEYS[10])
  redis.call('ZREM', KEYS[6], ARGV[13])
  relist(KEYS[8], ARGV[13], redis.call('HGET', KEYS[8], ARGV[13]), nil)
  if hint ~= '' then redis.call('SPUBLISH', KEYS[7], hint) end
  return 0
end

-- Remains of an earlier session (evicted, or deleted by an operator) must not join the log of its successor.
if not row[4] and redis.call('EXISTS', KEYS[3], KEYS[4], KEYS[5], KEYS[9], KEYS[10]) > 0 then
  redis.call('DEL', KEYS[3], KEYS[4], KEYS[5], KEYS[9], KEYS[10])
end

local at = 20 + ids
local head = addFrames(KEYS[3], tonumber(ARGV[5]), at + tonumber(ARGV[15]) + 1, ARGV[10])
if not head then return -2 end

-- `idx` is the session's score in the deadline index: never later than its due time. A later due time leaves the score
-- as it is, and a sweeper that finds it too early moves it: most commits touch no sorted set.
local idx = row[6]
local due = ARGV[7]
if due ~= '' and (not idx or tonumber(due) < tonumber(idx)) then
  redis.call('ZADD', KEYS[6], due, ARGV[13])
  redis.call('HSET', KEYS[1], 'idx', due)
end
local version = string.format('%d', tonumber(ARGV[4]) + 1)
local stored = { 'version', version, 'wid', ARGV[3], 'head', string.format('%d', head), 'due', due }
storeWith(KEYS[1], stored, ARGV[6], row[4], row[7])
local listed = redis.call('HGET', KEYS[8], ARGV[13])
if listed ~= ARGV[16] then relist(KEYS[8], ARGV[13], listed, ARGV[16]) end
for i = 1, ids do redis.call('HSET', KEYS[1], fields[7 + i], '1') end
for i = at + 1, at + tonumber(ARGV[15]) do redis.call('RPUSH', KEYS[4], ARGV[i]) end
if ARGV[19] ~= '' then addRecord(KEYS[9], KEYS[10], ARGV[19], tonumber(ARGV[20])) end
if ARGV[9] ~= '0' then redis.call('LTRIM', KEYS[5], ARGV[9], -1) end

if ARGV[17] ~= '' then dropAux(KEYS[3], head, tonumber(ARGV[17]), tonumber(ARGV[18])) end

local waiting = extendLease(ARGV[1], ARGV[8], row[7])
if ARGV[11] ~= '' then redis.call('SPUBLISH', KEYS[7], ARGV[11]) end
return waiting
