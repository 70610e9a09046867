-- Included by every script that reads a log or puts frames into it.
-- A log is a list with one element per frame; log-element.ts writes and reads elements. The last element is the frame at
-- the session's head, so positions give the offsets. A delta may be short: its turn is in an element before it, at most
-- PER_READ away, and only deltas of that turn are between them.
-- An earlier version stored logs as streams with the fields f (data) and x (aux). Such a log becomes a list at its next
-- write; until then every read makes elements of it.
local AT_ONCE = 1000
local PER_READ = 16

local function elementsOf(entries)
  local elements = {}
  for i, entry in ipairs(entries) do
    local _, data, _, aux = unpack(entry[2])
    elements[i] = aux and data .. '\n' .. aux or data
  end
  return elements
end

local function push(log, elements, first)
  for from = first, #elements, AT_ONCE do
    redis.call('RPUSH', log, unpack(elements, from, math.min(from + AT_ONCE - 1, #elements)))
  end
end

-- Keeps the last `most` elements. A short delta that becomes the first one gets its turn.
local function trim(log, most)
  local removed = redis.call('LLEN', log) - most
  if removed <= 0 then return end
  local near = redis.call('LRANGE', log, math.max(removed - PER_READ, 0), removed)
  redis.call('LTRIM', log, removed, -1)
  local first = near[#near]
  if string.byte(first) ~= 2 then return end
  for i = #near - 1, 1, -1 do
    local turn = string.match(near[i], '^\1[^\2]*')
    if turn then
      redis.call('LSET', log, 0, turn .. first)
      return
    end
  end
end

-- Appends the elements in ARGV from `first` on after `head`; returns the new head. The log keeps at most `most` elements,
-- if given. Returns nil and changes nothing if a short delta comes first and the log is gone, evicted or deleted by an
-- operator: no reader could tell its turn.
-- RPUSH must be the script's first write, because only the first one fails on a full Redis: see commit.lua.
local function addFrames(log, head, first, most)
  local added = #ARGV - first + 1
  if added == 0 then return head end
  local length = redis.pcall('RPUSH', log, unpack(ARGV, first, math.min(first + AT_ONCE - 1, #ARGV)))
  if type(length) == 'number' then
    if length == math.min(added, AT_ONCE) and string.byte(ARGV[first]) == 2 then
      redis.call('DEL', log)
      return nil
    end
    push(log, ARGV, first + AT_ONCE)
  else
    -- A full Redis refuses RPUSH on a stream too. DEL would be a first write that it allows, and then it allows the rest.
    if not string.find(length.err, 'WRONGTYPE', 1, true) then redis.call('RPUSH', log, ARGV[first]) end
    if redis.call('TYPE', log).ok == 'stream' then
      local elements = elementsOf(redis.call('XRANGE', log, '-', '+'))
      redis.call('DEL', log)
      push(log, elements, 1)
    end
    push(log, ARGV, first)
  end
  if most and (added > AT_ONCE or type(length) ~= 'number' or length > tonumber(most)) then
    trim(log, tonumber(most))
  end
  return head + added
end

-- Removes aux from the frames at offsets `from` to `to`. A very long turn keeps its aux: Redis serves no other command
-- meanwhile.
local function dropAux(log, head, from, to)
  local kept = redis.pcall('LLEN', log)
  if type(kept) ~= 'number' then return end
  local first = math.max(from, head - kept + 1)
  if to < first or to - first >= AT_ONCE then return end
  local index = first - (head - kept) - 1
  local elements = redis.call('LRANGE', log, index, -1)
  for i = 1, to - first + 1 do elements[i] = string.match(elements[i], '^[^\n]*') end
  if index == 0 then redis.call('DEL', log) else redis.call('LTRIM', log, 0, index - 1) end
  push(log, elements, 1)
end

-- Returns the number of frames that the log keeps, and the elements of at most `limit` frames from offset `from` on.
local function readFrames(log, head, from, limit)
  local kept = redis.pcall('LLEN', log)
  if type(kept) == 'number' then
    if limit < 1 then return kept, {} end
    local index = math.max(from - (head - kept) - 1, 0)
    return kept, redis.call('LRANGE', log, index, index + limit - 1)
  end
  kept = redis.call('XLEN', log)
  if limit < 1 then return kept, {} end
  return kept, elementsOf(redis.call('XRANGE', log, string.format('%d-0', math.max(from, 1)), '+', 'COUNT', limit))
end
