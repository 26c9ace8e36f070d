#!lua flags=no-writes
-- What the sweep has to look at by Redis's clock: first what falls due, then what has ended long enough
-- ago to be forgotten.
--
-- KEYS   holds.expiry, holds.confirmed, holds.released
-- ARGV   members at most | how long after its score a member of each index is due, in milliseconds
-- Reply  for each index its due members, first ones first

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local room, answer = tonumber(ARGV[1]), {}
for i = 1, 3 do
  answer[i] = {}
  if room > 0 then
    local latest = string.format('%d', now - tonumber(ARGV[1 + i]))
    answer[i] = redis.call('ZRANGE', KEYS[i], '-inf', latest, 'BYSCORE', 'LIMIT', 0, room)
    room = room - #answer[i]
  end
end
return answer
