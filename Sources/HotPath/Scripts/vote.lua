#!lua flags=allow-oom
-- A writer says which process of Redis it sees, at every new connection and every two seconds after.
-- One that was answered more than this Redis knows objects instead, and nobody sells from then on:
-- whoever opens a restarted Redis waits for the writers that were there before.
--
-- KEYS   fence
-- ARGV   writer, run id of Redis, the epoch in which the writer was answered or '', the last sequence
--        that was answered to it
-- Reply  epoch, opening, what is lost; '' for what there is not

local writer, run_id, epoch, answered = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local found = redis.call('HMGET', KEYS[1], 'epoch', 'open', 'lost', writer)
if epoch ~= '' and found[1] == epoch and tonumber(found[4] or 0) < tonumber(answered) then
  found[2] = false
  found[3] = found[3] or 'writer ' .. writer .. ' was answered up to ' .. answered
    .. ', and this Redis knows ' .. (found[4] or 'nothing') .. ' of it'
  redis.call('HDEL', KEYS[1], 'open')
  redis.call('HSET', KEYS[1], 'lost', found[3])
else
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('HSET', KEYS[1], 'seen:' .. writer, run_id .. ' ' .. string.format('%.0f', now))
end
return {found[1] or '', found[2] or '', found[3] or ''}
