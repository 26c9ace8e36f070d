-- Playing the operations: what the sweep asks about each hold of the members that it has found.
--
-- A hold whose deadline has passed expires.  One that has ended is kept whole for a while, and then,
-- when it is in the books, by its fingerprint, state and times alone; at last it is forgotten.  Nobody
-- waits for that, so that many holds may share a member of the two indexes of what has ended: their score
-- says when it ended, and how long it is remembered is decided when it is looked for (due.lua).

local retention, retention_released, settle_ms, letters_at, ended_slot_ms = 0, 0, 0, 0, 1
local kept_more = {c = 0, r = 0}   -- holds that each of these indexes names more than before
local counted_as = {c = 'confirmed', r = 'released'}
if member_count > 0 then
  retention, retention_released, settle_ms, letters_at =
    unpack_struct('<I8I8I8', ARGV[9 + member_count])
  ended_slot_ms = math.min(60000, math.max(1, floor(retention_released / 16)))
end

-- Up to when every event is in the books, or in a dead letter; asked once, and only when it matters.
local booked
local function booked_until()
  if booked then return booked end
  booked = 0
  local groups = pcall_redis('XINFO', 'GROUPS', KEYS[2])
  for i = 1, #groups do
    local group = {}
    for j = 1, #groups[i], 2 do group[groups[i][j]] = groups[i][j + 1] end
    if group.name == BOOKS_GROUP then
      local delivered, first = group['last-delivered-id'], nil
      if group.pending > 0 then
        first = call('XPENDING', KEYS[2], BOOKS_GROUP)[2]
      elseif call('XRANGE', KEYS[2], '(' .. delivered, '+', 'COUNT', 1)[1] then
        first = delivered
      end
      booked = first and tonumber(string.match(first, '^%d+')) - 1 or now
    end
  end
  return booked
end

-- What stands in a dead letter is not in the books, and the record is what they are repaired from.
local function in_books(hold)
  if hold.changed > booked_until() then return false end
  local events = {}
  for version = 1, hold.version do
    events[version] = format('%s-%d/%d', sub(hold.key, -30), hold.created, version)
  end
  local letters = call('HMGET', sub(ARGV[9 + member_count], letters_at), unpack(events))
  for version = 1, hold.version do
    if letters[version] then return false end
  end
  return true
end

local function letter_of(hold) return hold.status == CONFIRMED and 'c' or 'r' end

-- Puts an ended hold where it waits for being forgotten.
local function await_forgetting(hold)
  local member = member_of(indexes[letter_of(hold)], hold.created, hold.changed, ended_slot_ms)
  member[#member + 1] = sub(hold.key, -30)
end

-- A record that was rebuilt is kept whole: without a fingerprint its SKU and units tell a repeat.
local function settle(hold)
  local expires, changed = hold.expires - hold.created, hold.changed - hold.created
  if hold.print ~= UNKNOWN_PRINT and hold.version <= 65535 and expires < 4294967296
    and changed < 4294967296 then
    hold.short = pack(SHORT, hold.created, expires, changed, hold.status, hold.version, hold.print)
      .. (hold.status == CONFIRMED and ref_print(hold.ref) or '')
    hold.dirty = true
  end
  kept_more[letter_of(hold)] = kept_more[letter_of(hold)] + 1
  await_forgetting(hold)
end

local function forget(hold, letter)
  if letter ~= 'e' then kept_more[letter] = kept_more[letter] - 1 end
  forgotten[#forgotten + 1] = hold.key
  holds[hold.key] = false
  return FORGOTTEN
end

local function look_at_ended(hold, letter)
  if letter == 'e' and hold.short then return NOT_DUE end   -- it stands in the other index
  local remembered = hold.status == CONFIRMED and retention or retention_released
  if now >= hold.changed + remembered then return forget(hold, letter) end
  if letter ~= 'e' then
    await_forgetting(hold)
    return NOT_DUE
  end
  local forget_at = hold.changed + remembered
  local settle_at = math.min(hold.changed + settle_ms, forget_at)
  if now < settle_at then
    due_at(hold.key, hold.created, settle_at)
    return NOT_DUE
  end
  if not in_books(hold) then
    due_at(hold.key, hold.created, math.min(now + BOOKS_RETRY_MS, forget_at))
    return NOT_DUE
  end
  settle(hold)
  return SETTLED
end

-- Only in a batch that sweeps members of an index, which are removed below.
local function expire(at)
  local place, generation, member = unpack_struct('<I2xxI8I2', operations, at)
  if not members[member] then return NOT_DUE end
  local hold = hold_at(place)
  if hold and hold.unreadable then
    due_at(hold.key, generation, now + RETRY_MS)
    return HOLD_UNREADABLE
  end
  if not hold or hold.created ~= generation then return NO_SUCH_HOLD end
  if hold.status ~= ACTIVE then return look_at_ended(hold, members[member].letter) end
  local sku = skus[sku_of(hold)]
  if now < hold.expires then
    due_at(hold.key, generation, math.min(hold.expires, now + VISIT_MS))
    return NOT_DUE
  end
  if not sku.known or sku.held < hold.qty then   -- somebody tore the books
    due_at(hold.key, generation, now + RETRY_MS)
    return STOCK_MISMATCH
  end
  release(hold, sku, EXPIRED, 'HOLD_EXPIRED', '')
  due_at(hold.key, generation, now + math.min(settle_ms, retention_released))
  return PAST_DEADLINE
end
