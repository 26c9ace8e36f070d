#!lua flags=allow-oom
-- Sets fields of a hash also while Redis is over its memory limit: whoever looks then wants to know that
-- the worker lives.
--
-- KEYS   the hash
-- ARGV   name and value of each field

redis.call('HSET', KEYS[1], unpack(ARGV))
