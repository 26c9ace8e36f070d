#!lua flags=allow-oom
-- Opens a Redis to the sale, once the books have been compared with it, and forgets writers that have
-- been gone for long.  Every writer that was there a moment ago must have seen this process of Redis:
-- it may know that something is lost.
--
-- KEYS   fence
-- ARGV   epoch, run id of Redis, milliseconds after which a silent writer counts as gone, and after
--        which it is forgotten
-- Reply  '' when it is open, else why it is not

local fence, epoch, run_id = KEYS[1], ARGV[1], ARGV[2]
local gone_ms, forget_ms = tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local fields = redis.call('HGETALL', fence)
local found = {}
for i = 1, #fields, 2 do found[fields[i]] = fields[i + 1] end
if found.lost then return found.lost end

local forgotten = {}
for name, value in pairs(found) do
  local writer = string.match(name, '^seen:(.+)$')
  if writer then
    local seen_run, seen_at = string.match(value, '^(%S+) (%d+)$')
    local silent = now - tonumber(seen_at or 0)
    if silent > forget_ms then
      forgotten[#forgotten + 1] = name
      forgotten[#forgotten + 1] = writer
    elseif seen_run ~= run_id and silent < gone_ms then
      return 'waiting for writer ' .. writer
    end
  elseif string.find(name, '%.') and not found['seen:' .. name] then
    forgotten[#forgotten + 1] = name   -- of a version that did not vote
  end
end
for first = 1, #forgotten, 1000 do
  redis.call('HDEL', fence, unpack(forgotten, first, math.min(first + 999, #forgotten)))
end
redis.call('HSET', fence, 'epoch', epoch, 'open', epoch .. ' ' .. run_id)
return ''
