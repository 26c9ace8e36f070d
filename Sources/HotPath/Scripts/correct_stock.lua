#!lua flags=allow-oom
-- Corrects the figures of one SKU by differences, so that the sale may go on meanwhile, and says in
-- an event which figures that leaves.  Nothing happens unless the SKU still has the version that was
-- looked at: the same correction, made twice, does nothing the second time; nor where the sale has left
-- figures meanwhile that the correction does not fit.
--
-- The write that can fail goes first (XADD).
--
-- KEYS   events, fence, stock:<sku>, sku:<sku>
-- ARGV   source | version | what to add to available, held, sold, supplied | the event before the
--        figures, and after them
-- Reply  the entry's id; nil: the SKU has changed

local UNITS_MAX = 1000000000000
local names = {'available', 'held', 'sold', 'supplied'}

local hash = redis.call('HMGET', KEYS[4], 'available', 'held', 'sold', 'supplied', 'version',
  'retired')
local version = tonumber(hash[5] or nil)
if not version or version ~= tonumber(ARGV[2]) then return false end
local figures = {}
for i = 1, 4 do
  local units = tonumber(hash[i] or nil)
  if not units then return false end
  figures[i] = units + tonumber(ARGV[2 + i])
  if figures[i] < 0 or figures[i] > UNITS_MAX then return false end
end
if figures[1] + figures[2] + figures[3] ~= figures[4] then return false end

local time, before = redis.call('TIME'), tonumber(redis.call('HGET', KEYS[2], 'now') or nil)
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if before and before > now then now = before end

-- What a person wrote by hand stays for `adopt`.
local shown = redis.call('GET', KEYS[3])
local id = redis.call('XADD', KEYS[1], '*', 'source', ARGV[1], 'STOCK_CORRECTED', ARGV[7]
  .. struct.pack('<BI8BI8BI8BI8BI8BI8Bi8', 0x41, version + 1, 0x49, now, 0x51, figures[1],
    0x59, figures[2], 0x61, figures[3], 0x69, figures[4], 0x71, tonumber(ARGV[6]))
    .. (hash[6] == '1' and '\128\1\1' or '') .. ARGV[8])
for i = 1, 4 do
  redis.call('HSET', KEYS[4], names[i], string.format('%.0f', figures[i]))
end
redis.call('HSET', KEYS[4], 'version', string.format('%.0f', version + 1))
if shown == hash[1] then
  redis.call('SET', KEYS[3], string.format('%.0f', figures[1]))
end
redis.call('HSET', KEYS[2], 'now', string.format('%.0f', now))
return id
