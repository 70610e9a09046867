-- Included by every script that adds to a history or reads it.
-- The newest records are one string, a record per line: a list would cost a short session 90 bytes more. A string of
-- PAGE_BYTES becomes the last element of a list of pages. The pages keep at least `most` records with the string; the
-- reader drops what is beyond.
local PAGE_BYTES = 2048

local function addRecord(newest, pages, record, most)
  local lines = redis.call('GET', newest)
  lines = lines and (lines .. '\n' .. record) or record
  if #lines < PAGE_BYTES then
    redis.call('SET', newest, lines)
    return
  end
  local kept = redis.call('RPUSH', pages, lines)
  redis.call('DEL', newest)
  local records = 0
  for index = kept - 1, 0, -1 do
    local _, breaks = string.gsub(redis.call('LINDEX', pages, index), '\n', '\n')
    records = records + breaks + 1
    if records >= most then
      if index > 0 then redis.call('LTRIM', pages, index, -1) end
      return
    end
  end
end

-- Returns texts of one or more lines, oldest first.
local function readRecords(newest, pages)
  local texts = redis.call('LRANGE', pages, 0, -1)
  texts[#texts + 1] = redis.call('GET', newest) or nil
  return texts
end
