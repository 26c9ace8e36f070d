#!lua flags=no-writes
-- How many ended holds are older than what is remembered in any case: about, since members of an index
-- name different numbers of holds.
--
-- KEYS   holds.ended, holds.confirmed, holds.released
-- ARGV   how long what has ended is remembered at least, in milliseconds
-- Reply  a number of holds

local time = redis.call('TIME')
local latest = string.format('%d', time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(ARGV[1]))
local counts = redis.call('HMGET', KEYS[1], 'confirmed', 'released')
local sum = 0
for i = 1, 2 do
  local members = redis.call('ZCARD', KEYS[1 + i])
  if members > 0 then
    sum = sum + (tonumber(counts[i]) or 0) * redis.call('ZCOUNT', KEYS[1 + i], '-inf', latest) / members
  end
end
return math.floor(sum)
