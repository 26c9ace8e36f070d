#!lua flags=no-writes
-- How far the stream is, and how far the books are, at one moment.
--
-- KEYS   events
-- ARGV   group
-- Reply  the last entry's id, or '' when there is none; the id up to which the group was handed entries,
--        or '' without a group; the oldest id of them that is not acknowledged, or ''

local last = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local delivered, oldest = '', ''
local groups = redis.pcall('XINFO', 'GROUPS', KEYS[1])
for i = 1, #groups do
  local group = {}
  for j = 1, #groups[i], 2 do group[groups[i][j]] = groups[i][j + 1] end
  if group.name == ARGV[1] then
    delivered = group['last-delivered-id']
    oldest = redis.call('XPENDING', KEYS[1], ARGV[1])[2] or ''
  end
end
return {last and last[1] or '', delivered, oldest}
