#!lua flags=no-writes
-- Every consumer group of the stream, as XINFO GROUPS says it, but that a group which no entry follows
-- lags by nothing: Redis's own count may be wrong after it has read its append-only file.
--
-- KEYS   events
-- Reply  a list of groups, each a list of names and values

local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
for i = 1, #groups do
  local places = {}
  for j = 1, #groups[i], 2 do places[groups[i][j]] = j + 1 end
  local delivered = groups[i][places['last-delivered-id']]
  if groups[i][places.lag] ~= 0
    and #redis.call('XRANGE', KEYS[1], '(' .. delivered, '+', 'COUNT', 1) == 0 then
    groups[i][places.lag] = 0
  end
end
return groups
