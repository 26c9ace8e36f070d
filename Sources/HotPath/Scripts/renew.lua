#!lua flags=allow-oom
-- Renews the opening of a Redis, which the books have just confirmed.  What another worker has granted
-- meanwhile is not made shorter; one that does not end by itself begins to when a replica has come.  Why a
-- worker with other books would not open it is of no interest any more.
--
-- KEYS   fence
-- ARGV   the opening; from when and until when, by this Redis's clock, it holds, or '' and ''
-- Reply  1: it is renewed; 0: this is not the opening here

local found = redis.call('HMGET', KEYS[1], 'open', 'from', 'until', 'lost', 'why')
if found[1] ~= ARGV[1] or found[4] then return 0 end
if found[5] then redis.call('HDEL', KEYS[1], 'why') end
if ARGV[3] == '' then return 1 end
-- A clock that was set back has no use for the old one.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local NEVER = 9007199254740991
local holds = found[3] and now >= tonumber(found[2]) and tonumber(found[3]) < NEVER
if not holds or tonumber(found[3]) < tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], 'from', ARGV[2], 'until', ARGV[3])
end
return 1
