-- Playing the operations: those on holds.

local function ref_print(ref) return sub(redis.sha1hex(ref), 1, REF_BYTES) end

-- What all holds of one life span that begin in this batch have in common.
local beginnings = {}
local function beginning(ttl)
  local shared = beginnings[ttl]
  if not shared then
    local expires = now + ttl
    shared = {
      expires = expires,
      life = change_part(now, ACTIVE, 1, now, expires) .. KEPT,
      member = member_of(indexes.e, now, math.min(expires, now + VISIT_MS), SLOT_MS),
    }
    beginnings[ttl] = shared
  end
  return shared
end

local function reserve(at, last)
  local place, sku, ttl, qty, brought_at = unpack_struct('<I2I2I8I4', operations, at)
  brought_at = brought_at - 4   -- the units are its first part
  sku = sku_list[sku]
  local key = KEYS[FIXED + place]
  -- Most keys are new, and need no table.
  local hold = (records[FIXED + place] or placed[key] or holds[key]) and hold_at(place)
  if hold then
    if hold.unreadable then return HOLD_UNREADABLE end
    local same = hold.print == sub(operations, brought_at + 4, brought_at + 11)
    if hold.print == UNKNOWN_PRINT then same = hold.qty == qty and sku_of(hold) == sku.name end
    if not same then return KEY_REUSED end
    return with_hold(REPEATED, hold, sku)
  end
  if not sku.open then
    if sku.unknown then return UNKNOWN_SKU end
    return with_figures(STOCK_MISMATCH, sku)
  end
  local available = sku.available
  if sku.retired then return NOT_FOR_SALE, available end
  if placing == STORE_IS_FULL then return STORE_FULL, available end
  if placing == BOOKS_ARE_BEHIND then return BACKLOG, available end
  if available < qty then return SOLD_OUT, available end

  available = available - qty
  sku.available, sku.shown, sku.held = available, available, sku.held + qty
  sku.changed = sku.changed or MOVED
  local shared = beginning(ttl)
  local record = shared.life .. sub(operations, brought_at, last)
  holds[key], placed[key] = nil, record
  write_value(key, record)
  shared.member[#shared.member + 1] = sub(key, -30)
  emit('HOLD_CREATED', record)
  return HELD, available
end

local function change(hold, status, type, trace, said)
  hold.status, hold.version, hold.changed, hold.dirty = status, hold.version + 1, now, true
  emit_hold(type, hold, trace, said or '')
end

-- Gives the units of an active hold back.
local function release(hold, sku, status, type, trace, said)
  sku.available, sku.held = sku.available + hold.qty, sku.held - hold.qty
  sku.changed = sku.changed or MOVED
  if sku.shown then sku.shown = sku.shown + hold.qty end
  change(hold, status, type, trace, said)
end

local function same_ref(hold, ref)
  if hold.short then return sub(hold.short, SHORT_BYTES + 1) == ref_print(ref) end
  return hold.ref == ref
end

local function confirm(at, last)
  local place, generation, trace, ref_at = unpack_struct('<I2xxI8Bc0', operations, at)
  local hold, ref = hold_at(place), sub(operations, ref_at, last)
  if hold and hold.unreadable then return HOLD_UNREADABLE end
  if not hold or hold.created ~= generation then return NO_SUCH_HOLD end
  if hold.status == CONFIRMED then
    return with_hold(same_ref(hold, ref) and REPEATED or PAYMENT_REF_MISMATCH, hold)
  end
  if hold.status == CANCELLED then return with_hold(ALREADY_CANCELLED, hold) end
  if hold.status == EXPIRED or now >= hold.expires then return with_hold(PAST_DEADLINE, hold) end
  local sku = skus[sku_of(hold)]
  if not sku then return SKU_NEEDED, 0, sku_of(hold) end
  if not sku.known or sku.held < hold.qty then return with_figures(STOCK_MISMATCH, sku) end
  sku.held, sku.sold = sku.held - hold.qty, sku.sold + hold.qty
  if sku.changed ~= RESTOCKED then sku.changed = SOLD_SOME end
  hold.ref = ref
  change(hold, CONFIRMED, 'HOLD_CONFIRMED', trace)
  return with_hold(CONFIRMED_NOW, hold, sku)
end

local function cancel(at, last)
  local place, generation, trace, said_at = unpack_struct('<I2xxI8Bc0', operations, at)
  local hold = hold_at(place)
  if hold and hold.unreadable then return HOLD_UNREADABLE end
  if not hold or hold.created ~= generation then return NO_SUCH_HOLD end
  if hold.status == CONFIRMED then return with_hold(ALREADY_CONFIRMED, hold) end
  if hold.status == CANCELLED then return with_hold(REPEATED, hold) end
  if hold.status == EXPIRED or now >= hold.expires then return with_hold(PAST_DEADLINE, hold) end
  local sku = skus[sku_of(hold)]
  if not sku then return SKU_NEEDED, 0, sku_of(hold) end
  if not sku.known or sku.held < hold.qty then return with_figures(STOCK_MISMATCH, sku) end
  release(hold, sku, CANCELLED, 'HOLD_CANCELLED', trace, sub(operations, said_at, last))
  return with_hold(CANCELLED_NOW, hold, sku)
end

-- The later deadline is what tells a repeat.  The hold stays where it is in the index, where it may
-- share a member with others: the sweep that comes by at the old deadline puts it at the new one.
local function extend(at)
  local place, generation, expires, trace = unpack_struct('<I2xxI8I8Bc0', operations, at)
  local hold = hold_at(place)
  if hold and hold.unreadable then return HOLD_UNREADABLE end
  if not hold or hold.created ~= generation then return NO_SUCH_HOLD end
  if hold.status == CONFIRMED then return with_hold(ALREADY_CONFIRMED, hold) end
  if hold.status == CANCELLED then return with_hold(ALREADY_CANCELLED, hold) end
  if hold.status == EXPIRED or now >= hold.expires then return with_hold(PAST_DEADLINE, hold) end
  if expires <= hold.expires then return with_hold(REPEATED, hold) end
  -- Nothing else gives an active hold a new version, but for an audit's correction.
  if hold.version > EXTENSIONS_MAX then return with_hold(EXTENDED_TOO_OFTEN, hold) end
  hold.expires = expires
  change(hold, ACTIVE, 'HOLD_EXTENDED', trace)
  return with_hold(EXTENDED, hold)
end

local function get_hold(at)
  local place, generation = unpack_struct('<I2xxI8', operations, at)
  local hold = hold_at(place)
  if hold and hold.unreadable then return HOLD_UNREADABLE end
  if not hold or (generation > 0 and hold.created ~= generation) then
    return NO_SUCH_HOLD
  end
  return with_hold(FOUND, hold)
end
