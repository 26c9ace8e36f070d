#!lua flags=allow-oom
-- A writer says which process of Redis it sees, at every new connection and every two seconds after,
-- and that nothing which it has sent before is to run any more: what a connection that has died may
-- still deliver has a number that is not above the one that is written down here.
--
-- One that was answered more than this Redis knows objects instead, and nobody sells from then on:
-- whoever opens a restarted Redis waits for the writers that were there before.
--
-- KEYS   fence
-- ARGV   writer, run id of Redis, the epoch in which the writer was answered or '', the last sequence
--        that was answered to it, the last that it has sent; where the first replica has just come, for
--        how many milliseconds an opening holds that did not end by itself before, else ''; where a replica
--        has just gone, for how many it holds at most unless the books confirm it, else ''; where Redis has
--        just given the line of writes another name, and was a master throughout: that, and the one before
-- Reply  epoch, opening, what is lost, for how many milliseconds the opening still holds, why it is not
--        opened, the line of writes that was opened: '' for what there is not; and the time, in
--        milliseconds since 1970

local NEVER = 9007199254740991   -- when an opening ends that does not (Lease.swift)
local writer, run_id, epoch, answered, sent = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local found = redis.call('HMGET', KEYS[1], 'epoch', 'open', 'lost', writer, 'from', 'until', 'now',
  'why', 'voted', 'line')
local time = redis.call('TIME')
local clock = time[1] * 1000 + math.floor(time[2] / 1000)
local known = tonumber(found[4] or 0)
if epoch ~= '' and found[1] == epoch and known < tonumber(answered) then
  found[2] = false
  found[3] = found[3] or 'writer ' .. writer .. ' was answered up to ' .. answered
    .. ', and this Redis knows ' .. (found[4] or 'nothing') .. ' of it'
  redis.call('HDEL', KEYS[1], 'open')
  redis.call('HSET', KEYS[1], 'lost', found[3])
else
  local vote = run_id .. ' ' .. string.format('%.0f', clock)
  redis.call('HSET', KEYS[1], 'seen:' .. writer, vote, 'voted', vote)
  -- When anybody was heard last before this process of Redis began: those who were silent by then are gone.
  local last_run, last_at = string.match(found[9] or '', '^(%S+) (%d+)$')
  if last_at and last_run ~= run_id then redis.call('HSET', KEYS[1], 'voted_before', last_at) end
  if known < tonumber(sent) then redis.call('HSET', KEYS[1], writer, sent) end
  if ARGV[8] ~= '' and found[10] == ARGV[9] then
    found[10] = ARGV[8]
    redis.call('HSET', KEYS[1], 'line', ARGV[8])
  end
  -- Whoever follows may take this Redis's place one day: from now on it sells while it is told to.
  local ends = tonumber(found[6] or nil)
  if ARGV[6] ~= '' and not ends then ends = clock + tonumber(ARGV[6]) end
  -- Whoever has gone may have been made a master: what is sold from now on may be lost with this Redis.
  if ARGV[7] ~= '' and ends and ends < NEVER then
    ends = math.min(ends, clock + tonumber(ARGV[7]))
  end
  if ends and found[2] == (found[1] or '') .. ' ' .. run_id and ends ~= tonumber(found[6] or nil) then
    found[5], found[6] = found[6] and found[5] or clock, ends
    redis.call('HSET', KEYS[1], 'from', string.format('%.0f', found[5]),
      'until', string.format('%.0f', ends))
  end
end
local left = ''
if found[6] then
  left = clock < tonumber(found[5]) and 0 or math.max(0, tonumber(found[6]) - clock)
  left = string.format('%.0f', left)
end
-- As the batch script counts time: it never goes back.
local before = tonumber(found[7] or nil)
local now = before and before > clock and before < 9007199254740992 and before or clock
return {found[1] or '', found[2] or '', found[3] or '', left, found[8] or '', found[10] or '',
  string.format('%.0f', now)}
