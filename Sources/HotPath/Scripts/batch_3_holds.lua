-- Playing the operations: those on holds.

-- What all holds of one life span that begin in this batch have in common.
local beginnings = {}
local function beginning(ttl)
  local shared = beginnings[ttl]
  if not shared then
    local expires = now + ttl
    shared = {
      expires = expires,
      life = pack(LIFE, RECORD_FORMAT, ACTIVE, 1, now, expires, now),
      change = change_part(now, ACTIVE, 1, now, expires),
    }
    beginnings[ttl] = shared
  end
  return shared
end

local function reserve(op)
  local _, place, sku, ttl, qty, print = unpack_struct('<BI2I2I8I4c8', op)
  sku = sku_list[sku]
  local hold = hold_at(place)
  if hold then
    if hold.unreadable then return pack('<BI8', HOLD_UNREADABLE, 0) end
    local same = hold.print == print
    if hold.print == UNKNOWN_PRINT then same = hold.qty == qty and sku_of(hold) == sku.name end
    if not same then return pack('<BI8', KEY_REUSED, 0) end
    return with_hold(REPEATED, hold, sku)
  end
  if not sku.open then
    if sku.unknown then return pack('<BI8', UNKNOWN_SKU, 0) end
    return with_figures(STOCK_MISMATCH, sku)
  end
  local available = sku.available
  if placing == STORE_IS_FULL then return pack('<BI8', STORE_FULL, available) end
  if placing == BOOKS_ARE_BEHIND then return pack('<BI8', BACKLOG, available) end
  if available < qty then return pack('<BI8', SOLD_OUT, available) end

  available = available - qty
  sku.available, sku.shown, sku.held, sku.changed = available, available, sku.held + qty, true
  local key, shared = KEYS[3 + place], beginning(ttl)
  local record = shared.life .. sub(op, 14)
  holds[key], placed[key] = nil, record
  local n = #values
  values[n + 1], values[n + 2] = key, record
  due_at(key, now, shared.expires, SLOT_MS)
  emit('HOLD_CREATED', sub(op, 14 + BROUGHT_BYTES) .. shared.change)
  return pack('<BI8', HELD, available)
end

local function change(hold, status, type, trace)
  hold.status, hold.version, hold.changed, hold.dirty = status, hold.version + 1, now, true
  emit_hold(type, hold, trace)
end

-- Gives the units of an active hold back.
local function release(hold, sku, status, type, trace)
  sku.available, sku.held, sku.changed = sku.available + hold.qty, sku.held - hold.qty, true
  if sku.shown then sku.shown = sku.shown + hold.qty end
  change(hold, status, type, trace)
end

local function confirm(op)
  local _, place, _, generation, trace, at = unpack_struct('<BI2I2I8Bc0', op)
  local hold, ref = hold_at(place), sub(op, at)
  if hold and hold.unreadable then return pack('<BI8', HOLD_UNREADABLE, 0) end
  if not hold or hold.created ~= generation then return pack('<BI8', NO_SUCH_HOLD, 0) end
  if hold.status == CONFIRMED then
    return with_hold(hold.ref == ref and REPEATED or PAYMENT_REF_MISMATCH, hold)
  end
  if hold.status == CANCELLED then return with_hold(ALREADY_CANCELLED, hold) end
  if hold.status == EXPIRED or now >= hold.expires then return with_hold(PAST_DEADLINE, hold) end
  local sku = skus[sku_of(hold)]
  if not sku then return char(SKU_NEEDED) .. sku_of(hold) end
  if not sku.known or sku.held < hold.qty then return with_figures(STOCK_MISMATCH, sku) end
  sku.held, sku.sold, sku.changed = sku.held - hold.qty, sku.sold + hold.qty, true
  hold.ref = ref
  change(hold, CONFIRMED, 'HOLD_CONFIRMED', trace)
  return with_hold(CONFIRMED_NOW, hold, sku)
end

local function cancel(op)
  local _, place, _, generation, trace = unpack_struct('<BI2I2I8Bc0', op)
  local hold = hold_at(place)
  if hold and hold.unreadable then return pack('<BI8', HOLD_UNREADABLE, 0) end
  if not hold or hold.created ~= generation then return pack('<BI8', NO_SUCH_HOLD, 0) end
  if hold.status == CONFIRMED then return with_hold(ALREADY_CONFIRMED, hold) end
  if hold.status == CANCELLED then return with_hold(REPEATED, hold) end
  if hold.status == EXPIRED or now >= hold.expires then return with_hold(PAST_DEADLINE, hold) end
  local sku = skus[sku_of(hold)]
  if not sku then return char(SKU_NEEDED) .. sku_of(hold) end
  if not sku.known or sku.held < hold.qty then return with_figures(STOCK_MISMATCH, sku) end
  release(hold, sku, CANCELLED, 'HOLD_CANCELLED', trace)
  return with_hold(CANCELLED_NOW, hold, sku)
end

local function get_hold(op)
  local _, place, _, generation = unpack_struct('<BI2I2I8', op)
  local hold = hold_at(place)
  if hold and hold.unreadable then return pack('<BI8', HOLD_UNREADABLE, 0) end
  if not hold or (generation > 0 and hold.created ~= generation) then
    return pack('<BI8', NO_SUCH_HOLD, 0)
  end
  return with_hold(FOUND, hold)
end

-- Only in a batch that sweeps members of the index, which are removed below.
local function expire(op)
  local _, place, _, generation, member = unpack_struct('<BI2I2I8I2', op)
  if not members[member] then return char(NOT_DUE) end
  local hold = hold_at(place)
  if hold and hold.unreadable then
    due_at(hold.key, generation, now + RETRY_MS, SLOT_MS)
    return char(HOLD_UNREADABLE)
  end
  if not hold or hold.created ~= generation then return char(NO_SUCH_HOLD) end
  if hold.status == ACTIVE then
    local sku = skus[sku_of(hold)]
    if now < hold.expires then
      due_at(hold.key, generation, hold.expires, SLOT_MS)
      return char(NOT_DUE)
    end
    if not sku.known or sku.held < hold.qty then   -- somebody tore the books
      due_at(hold.key, generation, now + RETRY_MS, SLOT_MS)
      return char(STOCK_MISMATCH)
    end
    release(hold, sku, EXPIRED, 'HOLD_EXPIRED', '')
    due_at(hold.key, generation, now + retention, FORGET_SLOT_MS)
    return char(PAST_DEADLINE)
  end
  local forget_at = hold.changed + (hold.status == CANCELLED and retention_cancelled or retention)
  if now < forget_at then
    due_at(hold.key, generation, forget_at, FORGET_SLOT_MS)
    return char(NOT_DUE)
  end
  forgotten[#forgotten + 1] = hold.key
  holds[hold.key] = false
  return char(FORGOTTEN)
end
