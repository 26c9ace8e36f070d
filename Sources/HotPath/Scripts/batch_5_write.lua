-- Plays every operation, and then writes: the event first, since XADD is the write that can fail.

local play = {
  [RESERVE] = reserve, [CONFIRM] = confirm, [CANCEL] = cancel, [GET_HOLD] = get_hold,
  [SET] = set, [ADOPT] = adopt_stock, [GET_STOCK] = get_stock, [EXPIRE] = expire,
}

local results = {now, '', 0}
for i = first_operation, #ARGV do
  local op = ARGV[i]
  results[4 + i - first_operation] = play[string.byte(op)](op)
end

local function in_slices(command, arguments)
  for first = 1, #arguments, SLICE do
    call(command, unpack(arguments, first, math.min(first + SLICE - 1, #arguments)))
  end
end

local wrote = false
if #entry > 5 then
  results[2], wrote = call(unpack(entry)), true
end

for key, hold in pairs(holds) do
  if hold and hold.dirty then
    values[#values + 1] = key
    values[#values + 1] = record_of(hold)
  end
end
for i = 1, sku_count do
  local sku = sku_list[i]
  if sku.changed and sku.shown then
    values[#values + 1] = sku.stock_key
    values[#values + 1] = format('%.0f', sku.shown)
  end
end
in_slices('MSET', values)
in_slices('UNLINK', forgotten)

for i = 1, sku_count do
  local sku = sku_list[i]
  if sku.changed then
    call('HSET', sku.key, 'available', sku.available, 'held', sku.held, 'sold', sku.sold,
      'supplied', sku.supplied, 'version', sku.version)
  end
end
for key, print in pairs(requests) do call('SET', key, print, 'PX', REQUEST_MS) end

for i = 1, member_count do
  if members[i] then
    call('ZREM', KEYS[3], members[i])
    results[3], wrote = results[3] + 1, true
  end
end
for slot, generations in pairs(index) do
  for _, member in pairs(generations) do call('ZADD', KEYS[3], slot, table.concat(member, ' ')) end
end

if wrote then call('HSET', KEYS[1], 'now', format('%.0f', now), writer, ARGV[4]) end
return results
