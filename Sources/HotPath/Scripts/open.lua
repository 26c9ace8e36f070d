#!lua flags=allow-oom
-- Opens a Redis to the sale, once the books have been compared with it and name it, and forgets writers
-- that have been gone for long.  Every writer that was there a moment ago must have seen this process of
-- Redis: it may know that something is lost.  Files from long ago say nothing of a moment ago: who was
-- there last, as they have it, gets some time to come back.
--
-- KEYS   fence
-- ARGV   1 epoch   2 run id of Redis   3 milliseconds after which a silent writer counts as gone
--        4 after which it is forgotten   5 within which those of old files come back
--        6 for how long at least somebody must have wanted to open this process
--        7 'ask', or 'open'   8 this Redis's time when the books were asked   9 from when and 10 until
--        when, by this Redis's clock, the opening holds; '': it does not end by itself   11 the line of
--        writes that is opened: Redis names another after each change of its role
-- Reply  '' when it is open, or may be; else why not

local fence, epoch, run_id = KEYS[1], ARGV[1], ARGV[2]
local gone_ms, forget_ms, return_ms = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local patience_ms = tonumber(ARGV[6])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local fields = redis.call('HGETALL', fence)
local found = {}
for i = 1, #fields, 2 do found[fields[i]] = fields[i + 1] end
if found.lost then return found.lost end

-- Since when somebody wants to open this process.
local met_run, met_at = string.match(found.met or '', '^(%S+) (%d+)$')
if met_run ~= run_id then
  met_at = now
  redis.call('HSET', fence, 'met', run_id .. ' ' .. string.format('%.0f', now))
end
local met_ms = now - tonumber(met_at)
if met_ms >= 0 and met_ms < patience_ms then
  return 'waiting until another Redis, which this one followed, has surely ended its sale'
end

-- When anybody was heard last before this process began; a version of before wrote only each one's own.
local votes, last_moment, newest = {}, tonumber(found.voted_before or 0), 0
local last_run, last_at = string.match(found.voted or '', '^(%S+) (%d+)$')
if last_at and last_run ~= run_id then last_moment = tonumber(last_at) end
for name, value in pairs(found) do
  local writer = string.match(name, '^seen:(.+)$')
  if writer then
    local seen_run, seen_at = string.match(value, '^(%S+) (%d+)$')
    votes[name] = {writer = writer, run = seen_run, at = tonumber(seen_at or 0)}
    if seen_run ~= run_id then newest = math.max(newest, votes[name].at) end
  end
end
if last_moment == 0 then last_moment = newest end
-- The moment up to which a writer must have been heard of for it to be waited for.
local since = now - gone_ms
if met_ms < return_ms then since = math.min(since, last_moment - gone_ms) end

local forgotten = {}
for name in pairs(found) do
  local vote = votes[name]
  if vote then
    if now - vote.at > forget_ms then
      forgotten[#forgotten + 1] = name
      forgotten[#forgotten + 1] = vote.writer
    elseif vote.run ~= run_id and vote.at > since then
      return 'waiting for writer ' .. vote.writer
    end
  elseif string.find(name, '%.') and not found['seen:' .. name] then
    forgotten[#forgotten + 1] = name   -- of a version that did not vote, or that has left
  end
end
if ARGV[7] == 'ask' then return '' end
-- What the books have granted holds from when they were asked.
if math.abs(now - tonumber(ARGV[8])) > 5000 then return 'waiting for books that answer sooner' end

for first = 1, #forgotten, 1000 do
  redis.call('HDEL', fence, unpack(forgotten, first, math.min(first + 999, #forgotten)))
end
redis.call('HSET', fence, 'epoch', epoch, 'open', epoch .. ' ' .. run_id)
redis.call('HSET', fence, 'line', ARGV[11])
redis.call('HDEL', fence, 'why')
if ARGV[10] == '' then
  redis.call('HDEL', fence, 'from', 'until')
else
  redis.call('HSET', fence, 'from', ARGV[9], 'until', ARGV[10])
end
return ''
