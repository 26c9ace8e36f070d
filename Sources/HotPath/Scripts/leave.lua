-- Takes a consumer out of its group, unless something that it was given is not acknowledged: that would
-- be lost with it.  One step, so that nothing can be given to it in between.
--
-- KEYS   events
-- ARGV   group, consumer
-- Reply  1: it is gone

if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) > 0 then return 0 end
redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2])
return 1
