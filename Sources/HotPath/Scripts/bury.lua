#!lua flags=allow-oom
-- Writes down the events of one entry that cannot be applied, and acknowledges the entry, in one step:
-- no crash can separate the two.  An event that comes again, in the same or in another entry, is not
-- written again: its id is remembered together with its letter.
--
-- The write that can fail goes first (XADD), so that nothing is remembered that was not written.
--
-- KEYS   events, dead letters, the ids that were written down
-- ARGV   group, entry id | for each event: id, index, type, reason, attempts, first and last attempt
--        in milliseconds since 1970, bytes
-- Reply  how many were written

local events, dead, seen = KEYS[1], KEYS[2], KEYS[3]
local group, entry = ARGV[1], ARGV[2]
local written = 0

for i = 3, #ARGV, 8 do
  local id = ARGV[i]
  if redis.call('HEXISTS', seen, id) == 0 then
    local letter = redis.call('XADD', dead, '*', 'event', id, 'type', ARGV[i + 2],
      'reason', ARGV[i + 3], 'entry', entry, 'index', ARGV[i + 1], 'attempts', ARGV[i + 4],
      'first', ARGV[i + 5], 'last', ARGV[i + 6], 'bytes', ARGV[i + 7])
    redis.call('HSET', seen, id, letter)
    written = written + 1
  end
end
redis.call('XACK', events, group, entry)
return written
