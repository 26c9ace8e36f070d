#!lua flags=no-writes
-- What this Redis says of itself, at one moment.
--
-- KEYS   fence
-- Reply  epoch, opening, what is lost, for how many milliseconds the opening still holds, why it is not
--        opened, the line of writes that was opened: '' for what there is not

local found = redis.call('HMGET', KEYS[1], 'epoch', 'open', 'lost', 'from', 'until', 'why',
  'line')
local left = ''
if found[5] then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  left = now < tonumber(found[4]) and 0 or math.max(0, tonumber(found[5]) - now)
  left = string.format('%.0f', left)
end
return {found[1] or '', found[2] or '', found[3] or '', left, found[6] or '', found[7] or ''}
