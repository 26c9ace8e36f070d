#!lua flags=allow-oom
-- Closes a Redis to the sale, unless it belongs to another epoch by now: what arrives late must not close
-- what was rebuilt meanwhile.
--
-- KEYS   fence
-- ARGV   the epoch that was seen, or ''; why nobody may sell from it until it has been rebuilt, or '' for
--        until a worker opens it again
-- Reply  1: it is closed

if (redis.call('HGET', KEYS[1], 'epoch') or '') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'open')
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'lost', ARGV[2]) end
return 1
