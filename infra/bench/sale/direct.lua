-- What somebody writes who has Redis alone: one reserve, with everything that belongs to it.
-- KEYS stock, hold (named by user and key), expiry, events   ARGV units, life in ms, SKU, user, key
local held = redis.call('GET', KEYS[2])
if held then return {'REPEATED', held} end
local available = tonumber(redis.call('GET', KEYS[1]) or 0)
local units = tonumber(ARGV[1])
if available < units then return {'SOLD_OUT', available} end
local time = redis.call('TIME')
local due = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2]
local hold = 'ACTIVE|' .. ARGV[3] .. '|' .. ARGV[1] .. '|' .. ARGV[4] .. '|' .. ARGV[5] .. '|' .. due
redis.call('DECRBY', KEYS[1], units)
redis.call('SET', KEYS[2], hold, 'PX', ARGV[2])
redis.call('ZADD', KEYS[3], due, KEYS[2])
redis.call('XADD', KEYS[4], '*', 'type', 'HOLD_CREATED', 'hold', KEYS[2], 'sku', ARGV[3], 'units', ARGV[1],
  'user', ARGV[4], 'key', ARGV[5], 'expires_at', due)
return {'HELD', available - units}
