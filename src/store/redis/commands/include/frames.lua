-- Included by every script that puts frames into a log.
-- Appends the frames in ARGV from `first` on, each as data and aux ('' none), after `head`; returns the new head. The log
-- keeps at most `most` entries, if given.
local function addFrames(log, head, first, most)
  for i = first, #ARGV, 2 do
    head = head + 1
    local id = string.format('%d-0', head)
    local frame = { 'f', ARGV[i] }
    if ARGV[i + 1] ~= '' then frame = { 'f', ARGV[i], 'x', ARGV[i + 1] } end
    if most then
      redis.call('XADD', log, 'MAXLEN', '=', most, id, unpack(frame))
    else
      redis.call('XADD', log, id, unpack(frame))
    end
  end
  return head
end
