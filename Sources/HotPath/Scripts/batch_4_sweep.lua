-- Playing the operations: what the sweep asks about each hold of the members that it has found.
--
-- A hold whose deadline has passed expires.  One that has ended is kept whole for a while, and then,
-- when it is in the books, by its fingerprint, state and times alone; at last it is forgotten.  Nobody
-- waits for that, so that many holds may share a member of the two indexes of what has ended: their score
-- says when it ended, and how long it is remembered is decided when it is looked for (due.lua).

local retention, retention_released, settle_ms, ended_slot_ms = 0, 0, 0, 1
local set_retention, set_released, letters = 0, 0, ''   -- as they are set, and not shortened
local kept_more = {c = 0, r = 0}   -- holds that each of these indexes names more than before
local counted_as = {c = 'confirmed', r = 'released'}
if member_count > 0 then
  retention, retention_released, settle_ms, set_retention, set_released, letters =
    unpack_struct('<I8I8I8I8I8', ARGV[9 + member_count])
  letters = sub(ARGV[9 + member_count], letters)
  ended_slot_ms = math.min(60000, math.max(1, floor(retention_released / 16)))
end

local newest_forgotten = 0   -- when the last confirmed hold ended that is forgotten

-- Up to when every event is in the books, or in a dead letter; asked once, and only when it matters.  An
-- entry's id may be some milliseconds later than the time in its events.
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
      booked = first and tonumber(string.match(first, '^%d+')) - ID_SLACK_MS or now
    end
  end
  return booked
end

-- What stands in a dead letter is not in the books, and the record is what they are repaired from.  Whose
-- events a letter has, or had when it was replayed, is not asked: while one is open none is settled.
local no_letters
local function in_books(hold)
  if no_letters == nil then
    local replayed = call('HGET', letters, 'replayed')
    no_letters = call('HLEN', letters) == (replayed and 1 or 0)
      and (not replayed or tonumber(string.match(replayed, '^%d+')) <= booked_until())
  end
  return no_letters and hold.changed <= booked_until()
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
  if hold.status == CONFIRMED then newest_forgotten = math.max(newest_forgotten, hold.changed) end
  forgotten[#forgotten + 1] = hold.key
  holds[hold.key] = false
  return FORGOTTEN
end

local function look_at_ended(hold, letter)
  if letter == 'e' and hold.short then return NOT_DUE end   -- it stands in the other index
  local remembered, set = retention_released, set_released
  if hold.status == CONFIRMED then remembered, set = retention, set_retention end
  if letter ~= 'e' then
    if now >= hold.changed + remembered then return forget(hold, letter) end
    await_forgetting(hold)
    return NOT_DUE
  end
  -- What the books do not have is remembered for as long as was set, however short memory is.
  if now >= hold.changed + set or (now >= hold.changed + remembered and in_books(hold)) then
    return forget(hold, letter)
  end
  local forget_at = hold.changed + set
  local settle_at = math.min(hold.changed + settle_ms, forget_at)
  if now < settle_at then
    due_at(hold.key, hold.created, settle_at)
    return NOT_DUE
  end
  if not in_books(hold) then
    due_at(hold.key, hold.created, math.min(now + RETRY_MS, forget_at))
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
  local letter = members[member].letter
  if hold and hold.unreadable then
    if letter == 'e' then
      due_at(hold.key, generation, now + RETRY_MS)
    else   -- it stays where it is, as if it had just ended
      local kept = member_of(indexes[letter], generation, now, ended_slot_ms)
      kept[#kept + 1] = sub(hold.key, -30)
    end
    return HOLD_UNREADABLE
  end
  if not hold or hold.created ~= generation then
    if letter ~= 'e' then kept_more[letter] = kept_more[letter] - 1 end
    return NO_SUCH_HOLD
  end
  if hold.status ~= ACTIVE then return look_at_ended(hold, letter) end
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
