#!lua flags=allow-oom
-- Puts Redis's count of what a group has not been handed yet (`lag`) right, at a moment when that is
-- nothing.  A Redis that has read its append-only file may count entries for ever that the group was
-- given long ago: the file says which entry was the last, and not how many there were.
--
-- KEYS   events
-- ARGV   group
-- Reply  1: it was wrong, and is right now

local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
for i = 1, #groups do
  local group = {}
  for j = 1, #groups[i], 2 do group[groups[i][j]] = groups[i][j + 1] end
  if group.name == ARGV[1] and group.lag ~= 0 then
    local stream, reply = {}, redis.call('XINFO', 'STREAM', KEYS[1])
    for j = 1, #reply, 2 do stream[reply[j]] = reply[j + 1] end
    local last = group['last-delivered-id']
    if last ~= stream['last-generated-id'] then return 0 end
    redis.call('XGROUP', 'SETID', KEYS[1], ARGV[1], last, 'ENTRIESREAD', stream['entries-added'])
    return 1
  end
end
return 0
