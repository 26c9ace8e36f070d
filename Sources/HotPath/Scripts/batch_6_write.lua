-- Plays every operation, and then writes: the event first, since XADD is the write that can fail.

local play = {
  [RESERVE] = reserve, [CONFIRM] = confirm, [CANCEL] = cancel, [GET_HOLD] = get_hold,
  [CHANGE_STOCK] = change_stock, [ADOPT] = adopt_stock, [GET_STOCK] = get_stock,
  [EXPIRE] = expire, [LIST_STOCK] = list_stock, [EXTEND] = extend,
}

-- The first of these on a SKU that is new adopts what a person has written there.
local function play_and_adopt(kind, at, last)
  local sku
  if kind == RESERVE or kind == CHANGE_STOCK or kind == ADOPT or kind == GET_STOCK then
    local _, place = unpack_struct('<I2I2', operations, at)
    sku = sku_list[place]
    if sku.new and sku.shown then adopt(sku) end
  end
  answer(play[kind](at, last))
  if sku then sku.adopted = false end
end

-- Nothing is done for a caller who has been told that its time is up.
local is_late = first_deadline > 0 and now > first_deadline
local at, size, kind = 1
while at <= #operations do
  size, kind = unpack_struct('<I2B', operations, at)
  if is_late and now > first_deadline + unpack_struct('<I2', deadlines, head_count + 1) then
    answer(TOO_LATE)
  elseif some_new then
    play_and_adopt(kind, at + 3, at + size - 1)
  else
    answer(play[kind](at + 3, at + size - 1))
  end
  at = at + size
end

local function in_slices(command, arguments, count)
  for first = 1, count, SLICE do
    call(command, unpack(arguments, first, math.min(first + SLICE - 1, count)))
  end
end

local wrote = false
if entry_count > 5 then
  results[2], wrote = call(unpack(entry, 1, entry_count)), true
end

for key, hold in pairs(holds) do
  if hold and hold.dirty then
    write_value(key, record_of(hold))
  end
end
for i = 1, sku_count do
  local sku = sku_list[i]
  if sku.changed and sku.shown then
    write_value(sku.stock_key, format('%d', sku.shown))
  end
end
in_slices('MSET', values, value_count)
in_slices('UNLINK', forgotten, #forgotten)

for i = 1, sku_count do
  local sku = sku_list[i]
  if sku.changed then
    -- As texts: a number of Lua's costs Redis 2,400 instructions to write out, a text 1,200.
    local available, held = format('%d', sku.available), format('%d', sku.held)
    if sku.changed == MOVED then
      call('HSET', sku.key, 'available', available, 'held', held)
    elseif sku.changed == SOLD_SOME then
      call('HSET', sku.key, 'available', available, 'held', held, 'sold', format('%d', sku.sold))
    else
      call('HSET', sku.key, 'available', available, 'held', held, 'sold', sku.sold,
        'supplied', sku.supplied, 'version', sku.version)
      if sku.retired then call('HSET', sku.key, 'retired', 1) else call('HDEL', sku.key, 'retired') end
    end
  end
end
for _, name in ipairs(listed) do call('ZADD', KEYS[4], 0, name) end
for key, print in pairs(requests) do call('SET', key, print, 'PX', REQUEST_MS) end

for i = 1, member_count do
  if members[i] then
    call('ZREM', index_keys[members[i].letter], members[i].name)
    results[3], wrote = results[3] + 1, true
  end
end
for letter, index in pairs(indexes) do
  for slot, generations in pairs(index) do
    for _, member in pairs(generations) do
      for first = 2, #member, MEMBER_HOLDS do
        local names = table.concat(member, ' ', first, math.min(first + MEMBER_HOLDS - 1, #member))
        call('ZADD', index_keys[letter], format('%d', slot), member[1] .. ' ' .. names)
      end
    end
  end
end
for letter, more in pairs(kept_more) do
  if more ~= 0 then call('HINCRBY', KEYS[after_skus + 3], counted_as[letter], more) end
end
if newest_forgotten > 0
  and newest_forgotten > tonumber(call('HGET', KEYS[after_skus + 3], 'forgotten') or 0) then
  call('HSET', KEYS[after_skus + 3], 'forgotten', format('%d', newest_forgotten))
end

if wrote then call('HSET', KEYS[1], 'now', format('%d', now), writer, ARGV[4]) end
return answered()
