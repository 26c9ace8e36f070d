#!lua flags=allow-oom
-- Takes one dead letter away and, to replay it, writes its event into the stream again, in one step.
-- Whether the event has been applied meanwhile does not matter: the books apply it once.  The entry's
-- source says how often the event was tried, and since when: should it fail again, that counts on.
--
-- KEYS   events, dead letters, the ids that were written down
-- ARGV   event id, 'replay' or 'discard'
-- Reply  the new entry's id, or the letter's when it is discarded; nil: there is no such letter

local events, dead, seen = KEYS[1], KEYS[2], KEYS[3]
local id, wish = ARGV[1], ARGV[2]

local letter = redis.call('HGET', seen, id)
if not letter or id == 'replayed' then return false end   -- that is the mark below
local found = redis.call('XRANGE', dead, letter, letter)[1]
local answer = letter
if found and wish == 'replay' then
  local values = {}
  for i = 1, #found[2], 2 do values[found[2][i]] = found[2][i + 1] end
  answer = redis.call('XADD', events, '*', 'source', '0/replay/' .. letter .. '/'
    .. (values.attempts or 0) .. '/' .. (values.first or 0), values.type, values.bytes)
end
redis.call('XDEL', dead, letter)
redis.call('HDEL', seen, id)
-- Until that is applied the event is not in the books (batch_4_sweep.lua).
if found and wish == 'replay' then redis.call('HSET', seen, 'replayed', answer) end
return found and answer or false
