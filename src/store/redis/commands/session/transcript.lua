#!lua flags=no-writes
-- Reads a page of a session's transcript.
-- KEYS  1 transcript
-- ARGV  1 number of entries before the page  2 bytes after which the page ends
-- returns  the length of the transcript, the entries of the page …
local length = redis.call('LLEN', KEYS[1])
local page, from, left = {length}, tonumber(ARGV[1]), tonumber(ARGV[2])
while from < length and left > 0 do
  for _, entry in ipairs(redis.call('LRANGE', KEYS[1], from, from + 7)) do
    page[#page + 1] = entry
    from = from + 1
    left = left - #entry
  end
end
return page
