-- Included by every script that reads or writes a snapshot.
-- Redis keeps a hash compact while no value is longer than 64 bytes. So a snapshot lies in pieces: the field `n` counts
-- them, and PIECES names their fields. A long one lies whole in `snap`, as an earlier version stored every snapshot. Redis never makes such a
-- hash compact again, so a session keeps that form.
local PIECE = 64
-- Redis prints a number as a double, so names that were numbers would cost more than the rest of a commit's HSET.
local PIECES = '123456789abcdefg'

local function fieldsOf(from, to)
  local fields = {}
  for i = from, to do fields[i - from + 1] = string.sub(PIECES, i, i) end
  return fields
end

-- `whole` and `n` are the session's fields `snap` and `n`.
local function snapshotOf(session, whole, n)
  if not n then return whole end
  local pieces = redis.call('HMGET', session, unpack(fieldsOf(1, tonumber(n))))
  for i, piece in ipairs(pieces) do pieces[i] = piece or '' end
  return table.concat(pieces)
end

-- Stores the fields and values of `row` with the snapshot. `n` is the session's field; `known`: the session has a version.
local function storeWith(session, row, snapshot, known, n)
  local former = tonumber(n or 0)
  local pieces = math.max(1, math.ceil(#snapshot / PIECE))
  if pieces <= #PIECES and (n or not known) then
    local last = #row
    for i = 1, pieces do
      row[last + 1] = string.sub(PIECES, i, i)
      row[last + 2] = string.sub(snapshot, (i - 1) * PIECE + 1, i * PIECE)
      last = last + 2
    end
    if former ~= pieces then
      row[last + 1] = 'n'
      row[last + 2] = pieces
    end
    redis.call('HSET', session, unpack(row))
    if former > pieces then redis.call('HDEL', session, unpack(fieldsOf(pieces + 1, former))) end
  else
    row[#row + 1] = 'snap'
    row[#row + 1] = snapshot
    redis.call('HSET', session, unpack(row))
    if n then redis.call('HDEL', session, 'n', unpack(fieldsOf(1, former))) end
  end
end
