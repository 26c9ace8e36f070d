#!lua flags=no-writes
-- What the audit compares: the figures of some SKUs and the records of some holds, all of one moment,
-- with the id of the last entry of the stream.  Every event of that moment and before is at or below
-- it, and none after.
--
-- KEYS   events | for each SKU: stock:<sku>, sku:<sku> | the holds
-- ARGV   how many SKUs
-- Reply  stream id | for each SKU: what stock:<sku> shows, available, held, sold, supplied, version |
--        the record of each hold; nil for whatever is not there, or is something else

local skus = tonumber(ARGV[1])
local answer, n = {'0-0'}, 1

local info = redis.pcall('XINFO', 'STREAM', KEYS[1])
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then answer[1] = info[i + 1] end
end

for i = 1, skus do
  local shown = redis.pcall('GET', KEYS[2 * i])
  answer[n + 1] = not (type(shown) == 'table' and shown.err) and shown
  local hash = redis.pcall('HMGET', KEYS[2 * i + 1], 'available', 'held', 'sold', 'supplied',
    'version')
  for field = 1, 5 do answer[n + 1 + field] = not hash.err and hash[field] end
  n = n + 6
end

if #KEYS > 1 + 2 * skus then
  local records = redis.call('MGET', unpack(KEYS, 2 + 2 * skus))
  for i = 1, #records do answer[n + i] = records[i] end
end
return answer
