#!lua flags=allow-oom
-- The only judge of what happened: one batch of operations on one partition.
--
-- How it works.  It READS every key that the batch names, PLAYS the operations in their order on Lua
-- tables, and only then WRITES.  An error in the middle of a script does not undo the writes before
-- it, so whatever can fail has failed before the first write; and the first is XADD.
--
-- The script may run while Redis is over its memory limit (allow-oom): what was promised must be able
-- to finish.  Whether a new hold may begin is a verdict that the server passes in (`placing`).
--
-- KEYS   fence, events, expiry | the hold of each operation that names one | the request of each
--        `set` | for each SKU: stock:<sku>, sku:<sku>
-- ARGV   1 counts and settings   2 source of the stream entry   3 writer   4 its sequence
--        5 the member of the expiry index that is being swept, or ''   6... operations
-- Reply  now, stream id or '', the writer's sequence before, a result for each operation
--
-- Layouts (struct, little-endian) are read and written on the other side by ScriptCodec.swift.

local call, pcall_redis = redis.call, redis.pcall
local pack, unpack_struct, sub = struct.pack, struct.unpack, string.sub
local floor, format, char = math.floor, string.format, string.char

-- Operations
local RESERVE, CONFIRM, CANCEL, GET_HOLD, SET, ADOPT, GET_STOCK, EXPIRE = 1, 2, 3, 4, 5, 6, 7, 8

-- Outcomes (Answer.swift)
local HELD, REPEATED, SOLD_OUT, UNKNOWN_SKU, CONFIRMED_NOW, CANCELLED_NOW = 1, 2, 3, 4, 5, 6
local PAST_DEADLINE, NO_SUCH_HOLD, FOUND, STOCK_SET, STOCK_ADOPTED = 7, 8, 9, 10, 11
local ALREADY_CONFIRMED, ALREADY_CANCELLED = 12, 13
local KEY_REUSED, PAYMENT_REF_MISMATCH, STOCK_MISMATCH, STORE_FULL = 64, 65, 66, 67
local REQUEST_ID_REUSED, TOO_MANY_UNITS, NOT_DUE, FORGOTTEN = 68, 69, 70, 71
local HOLD_UNREADABLE, SKU_NEEDED = 72, 255

-- Status of a hold (Hold.swift)
local ACTIVE, CONFIRMED, CANCELLED, EXPIRED = 1, 2, 3, 4

-- A record is what changes with the hold's life, and then what its reserve brought: the second part
-- is copied from the operation as it is.
local LIFE, LIFE_BYTES, RECORD_FORMAT = '<BBI4I8I8I8', 30, 1   -- format, status, version, 3 times
local BROUGHT, BROUGHT_BYTES = '<I4c8BI2', 15   -- units, fingerprint, lengths of SKU and event part
local UNITS_MAX = 1000000000000
local REQUEST_MS = 86400000   -- how long the request id of a `set` is remembered: 24 hours
local RETRY_MS = 60000   -- when the sweep looks again at what it could not end
local SLOT_MS = 200   -- holds that fall due within one slot of a batch share an index entry
local SLICE = 1000    -- arguments that go through one unpack(); Lua's stack ends near 8,000

local hold_count, request_count, sku_count, placing, retention, retention_cancelled =
  unpack_struct('<I4I4I4BI8I8', ARGV[1])
local writer, swept = ARGV[3], ARGV[5]
local first_request = 3 + hold_count
local first_sku = first_request + request_count

-- ---------------------------------------------------------------- read

local fence = call('HMGET', KEYS[1], 'now', writer)
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
if fence[1] and tonumber(fence[1]) > now then now = tonumber(fence[1]) end

-- Also the check that the index is one: a ZADD that failed after the XADD would tear the batch.
local swept_is_due = call('ZSCORE', KEYS[3], swept)

local records = {}
for first = 4, first_sku, SLICE do
  local last = math.min(first + SLICE - 1, first_sku)
  local values = call('MGET', unpack(KEYS, first, last))
  for i = 1, #values do records[first + i - 1] = values[i] end
end

local holds = {}   -- by key, so that two operations on one hold see each other
local placed = {}  -- records made by this batch: most are never looked at again, and need no table

-- A record that this version did not write closes its hold alone, not the batch that names it.
local function readable(record)
  if #record < LIFE_BYTES + BROUGHT_BYTES or string.byte(record) ~= RECORD_FORMAT then return false end
  local _, _, sku_bytes, part_bytes = unpack_struct(BROUGHT, record, LIFE_BYTES + 1)
  return sku_bytes > 0 and part_bytes >= sku_bytes
    and #record >= LIFE_BYTES + BROUGHT_BYTES + part_bytes
end

local function hold_at(place)
  local key = KEYS[3 + place]
  local hold = holds[key]
  if hold == nil then
    local record = placed[key] or records[3 + place]
    if record and not readable(record) then
      hold = {key = key, unreadable = true}
    elseif record then
      local _, status, version, created, expires, changed = unpack_struct(LIFE, record)
      local qty, print, sku_bytes, part_bytes = unpack_struct(BROUGHT, record, LIFE_BYTES + 1)
      local part_at = LIFE_BYTES + BROUGHT_BYTES + 1
      hold = {
        key = key, status = status, version = version, qty = qty, created = created,
        expires = expires, changed = changed, print = print, sku_bytes = sku_bytes,
        part = sub(record, part_at, part_at + part_bytes - 1),
        brought = sub(record, LIFE_BYTES + 1, part_at + part_bytes - 1),
        ref = sub(record, part_at + part_bytes),
      }
    else
      hold = false
    end
    holds[key] = hold
  end
  return hold
end

local function units(text)
  if not text or #text > 13 or not string.find(text, '^%d+$') then return nil end
  local n = tonumber(text)
  return n <= UNITS_MAX and n or nil
end

-- A SKU is open while its plain figure is what the service wrote there and its books balance.
local function is_open(sku)
  return sku.known and sku.shown == sku.available
    and sku.available + sku.held + sku.sold == sku.supplied
end

local skus, sku_list = {}, {}
if sku_count > 0 then
  local stock_keys = {}
  for i = 1, sku_count do stock_keys[i] = KEYS[first_sku + 2 * i - 1] end
  local shown = call('MGET', unpack(stock_keys))
  for i = 1, sku_count do
    local key = KEYS[first_sku + 2 * i]
    local hash = pcall_redis('HMGET', key, 'available', 'held', 'sold', 'supplied', 'version')
    local sku = {
      key = key, stock_key = stock_keys[i], name = string.match(key, '[^:]+$'),
      text = shown[i] or '', shown = units(shown[i]),
    }
    if not hash.err and hash[1] then
      sku.available, sku.held, sku.sold, sku.supplied, sku.version =
        units(hash[1]), units(hash[2]), units(hash[3]), units(hash[4]), units(hash[5])
      sku.known = (sku.available and sku.held and sku.sold and sku.supplied and sku.version) ~= nil
    end
    -- Never seen by the service: a plain SET in redis-cli is adopted below.  Anything else is not.
    sku.new = not hash.err and not hash[1]
    sku.unknown = sku.new and not shown[i] and call('EXISTS', sku.stock_key) == 0
    sku.open = is_open(sku)
    skus[sku.name], sku_list[i] = sku, sku
  end
end

-- An operation that names only its hold cannot say which SKU keys it needs.  The server learns the
-- SKU from this answer and sends the operation again with the next batch.
local function sku_of(hold) return sub(hold.part, -hold.sku_bytes) end

if swept ~= '' then
  local missing, needed = false, {}
  for i = 6, #ARGV do
    local _, place, _, generation = unpack_struct('<BI2I2I8', ARGV[i])
    local hold = hold_at(place)
    needed[i - 5] = char(NOT_DUE)
    if swept_is_due and hold and hold.created == generation and hold.status == ACTIVE
      and not skus[sku_of(hold)] then
      missing, needed[i - 5] = true, char(SKU_NEEDED) .. sku_of(hold)
    end
  end
  if missing or not swept_is_due then return {now, '', fence[2] or '', unpack(needed)} end
end

-- ---------------------------------------------------------------- play

local entry = {'XADD', KEYS[2], '*', 'source', ARGV[2]}
local values, index, forgotten, requests = {}, {}, {}, {}

local function varint(n)
  if n < 128 then return char(n) end
  return char(128 + n % 128, floor(n / 128))
end

local function emit(type, bytes)
  local n = #entry
  entry[n + 1], entry[n + 2] = type, bytes
end

-- The change part of an event of a hold, with the time of its creation before it.
local function change_part(created, status, version, changed, expires)
  return pack('<BI8BBBI8BI8BI8', 0x41, created, 0x48, status, 0x51, version, 0x59, changed,
    0x61, expires)
end

local function emit_hold(type, hold)
  local ref = hold.ref == '' and '' or '\106' .. varint(#hold.ref) .. hold.ref
  emit(type, hold.part
    .. change_part(hold.created, hold.status, hold.version, hold.changed, hold.expires) .. ref)
end

local function emit_stock(type, part, sku, delta)
  emit(type, part .. pack('<BI8BI8BI8BI8BI8BI8Bi8', 0x41, sku.version, 0x49, now,
    0x51, sku.available, 0x59, sku.held, 0x61, sku.sold, 0x69, sku.supplied, 0x71, delta))
end

local function adopt(sku)
  local before = sku.known and sku.supplied or 0
  if not sku.known then sku.held, sku.sold, sku.version = 0, 0, 0 end
  sku.available, sku.version = sku.shown, sku.version + 1
  sku.supplied = sku.available + sku.held + sku.sold
  sku.known, sku.new, sku.open, sku.changed, sku.adopted = true, false, true, true, true
  emit_stock('STOCK_ADOPTED', '\10' .. varint(#sku.name) .. sku.name, sku, sku.supplied - before)
end

for i = 1, sku_count do
  local sku = sku_list[i]
  if sku.new and sku.shown then adopt(sku) end
end

-- A member of the index is a generation and the holds of that generation: `<created> H-… H-…`.
local function due_at(key, created, when)
  local slot = math.ceil(when / SLOT_MS) * SLOT_MS
  local members = index[slot]
  if not members then
    members = {}
    index[slot] = members
  end
  local member = members[created]
  if not member then
    member = {format('%.0f', created)}
    members[created] = member
  end
  member[#member + 1] = sub(key, -30)
end

local function record_of(hold)
  return pack(LIFE, RECORD_FORMAT, hold.status, hold.version, hold.created, hold.expires,
    hold.changed) .. hold.brought .. hold.ref
end

local function with_hold(outcome, hold, sku)
  return pack('<BI8', outcome, sku and sku.available or 0) .. record_of(hold)
end

local function with_figures(outcome, sku)
  local figures = pack('<BI8I8I8I8I8', outcome, sku.available or 0, sku.held or 0, sku.sold or 0,
    sku.supplied or 0, sku.version or 0)
  if outcome ~= STOCK_MISMATCH then return figures end
  return figures .. (sku.shown and format('%.0f', sku.shown) or sku.text)
end

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
    if hold.print ~= print then return pack('<BI8', KEY_REUSED, 0) end
    return with_hold(REPEATED, hold, sku)
  end
  if not sku.open then
    if sku.unknown then return pack('<BI8', UNKNOWN_SKU, 0) end
    return with_figures(STOCK_MISMATCH, sku)
  end
  local available = sku.available
  if placing == 0 then return pack('<BI8', STORE_FULL, available) end
  if available < qty then return pack('<BI8', SOLD_OUT, available) end

  available = available - qty
  sku.available, sku.shown, sku.held, sku.changed = available, available, sku.held + qty, true
  local key, shared = KEYS[3 + place], beginning(ttl)
  local record = shared.life .. sub(op, 14)
  holds[key], placed[key] = nil, record
  local n = #values
  values[n + 1], values[n + 2] = key, record
  due_at(key, now, shared.expires)
  emit('HOLD_CREATED', sub(op, 14 + BROUGHT_BYTES) .. shared.change)
  return pack('<BI8', HELD, available)
end

local function change(hold, status, type)
  hold.status, hold.version, hold.changed, hold.dirty = status, hold.version + 1, now, true
  emit_hold(type, hold)
end

-- Gives the units of an active hold back.
local function release(hold, sku, status, type)
  sku.available, sku.held, sku.changed = sku.available + hold.qty, sku.held - hold.qty, true
  if sku.shown then sku.shown = sku.shown + hold.qty end
  change(hold, status, type)
end

local function confirm(op)
  local _, place, _, generation, at = unpack_struct('<BI2I2I8', op)
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
  change(hold, CONFIRMED, 'HOLD_CONFIRMED')
  return with_hold(CONFIRMED_NOW, hold, sku)
end

local function cancel(op)
  local _, place, _, generation = unpack_struct('<BI2I2I8', op)
  local hold = hold_at(place)
  if hold and hold.unreadable then return pack('<BI8', HOLD_UNREADABLE, 0) end
  if not hold or hold.created ~= generation then return pack('<BI8', NO_SUCH_HOLD, 0) end
  if hold.status == CONFIRMED then return with_hold(ALREADY_CONFIRMED, hold) end
  if hold.status == CANCELLED then return with_hold(REPEATED, hold) end
  if hold.status == EXPIRED or now >= hold.expires then return with_hold(PAST_DEADLINE, hold) end
  local sku = skus[sku_of(hold)]
  if not sku then return char(SKU_NEEDED) .. sku_of(hold) end
  if not sku.known or sku.held < hold.qty then return with_figures(STOCK_MISMATCH, sku) end
  release(hold, sku, CANCELLED, 'HOLD_CANCELLED')
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

local function set(op)
  local _, place, sku, available, print, at = unpack_struct('<BI2I2I8c8', op)
  sku = sku_list[sku]
  local key = KEYS[first_request + place]
  local known = requests[key] or records[first_request + place]
  if known then
    if known ~= print then return pack('<BI8', REQUEST_ID_REUSED, 0) end
    return with_figures(REPEATED, sku)
  end
  if sku.unknown and not sku.known then
    sku.available, sku.shown, sku.held, sku.sold, sku.supplied, sku.version = 0, 0, 0, 0, 0, 0
    sku.known = true
  end
  if not is_open(sku) then return with_figures(STOCK_MISMATCH, sku) end
  local supplied = available + sku.held + sku.sold
  if supplied > UNITS_MAX then
    return with_figures(TOO_MANY_UNITS, sku)
  end
  local delta = supplied - sku.supplied
  sku.available, sku.shown, sku.supplied = available, available, supplied
  sku.version, sku.changed, sku.open, sku.unknown = sku.version + 1, true, true, false
  requests[key] = print
  emit_stock('STOCK_SET', sub(op, at), sku, delta)
  return with_figures(STOCK_SET, sku)
end

local function adopt_stock(op)
  local _, _, sku = unpack_struct('<BI2I2', op)
  sku = sku_list[sku]
  if sku.unknown then return pack('<BI8', UNKNOWN_SKU, 0) end
  if not sku.shown then return with_figures(STOCK_MISMATCH, sku) end
  if sku.known and not is_open(sku) then
    if sku.shown + sku.held + sku.sold > UNITS_MAX then return with_figures(TOO_MANY_UNITS, sku) end
    adopt(sku)
  end
  if not sku.known then return with_figures(STOCK_MISMATCH, sku) end
  local outcome = sku.adopted and STOCK_ADOPTED or REPEATED
  sku.adopted = false
  return with_figures(outcome, sku)
end

local function get_stock(op)
  local _, _, sku = unpack_struct('<BI2I2', op)
  sku = sku_list[sku]
  if sku.unknown then return pack('<BI8', UNKNOWN_SKU, 0) end
  return with_figures(is_open(sku) and FOUND or STOCK_MISMATCH, sku)
end

-- Only in a batch that sweeps one member of the index; the member itself is removed below.
local function expire(op)
  local _, place, _, generation = unpack_struct('<BI2I2I8', op)
  local hold = hold_at(place)
  if hold and hold.unreadable then
    due_at(hold.key, generation, now + RETRY_MS)
    return char(HOLD_UNREADABLE)
  end
  if not hold or hold.created ~= generation then return char(NO_SUCH_HOLD) end
  if hold.status == ACTIVE then
    local sku = skus[sku_of(hold)]
    if now < hold.expires then
      due_at(hold.key, generation, hold.expires)
      return char(NOT_DUE)
    end
    if not sku.known or sku.held < hold.qty then   -- somebody tore the books
      due_at(hold.key, generation, now + RETRY_MS)
      return char(STOCK_MISMATCH)
    end
    release(hold, sku, EXPIRED, 'HOLD_EXPIRED')
    due_at(hold.key, generation, now + retention)
    return char(PAST_DEADLINE)
  end
  local forget_at = hold.changed + (hold.status == CANCELLED and retention_cancelled or retention)
  if now < forget_at then
    due_at(hold.key, generation, forget_at)
    return char(NOT_DUE)
  end
  forgotten[#forgotten + 1] = hold.key
  holds[hold.key] = false
  return char(FORGOTTEN)
end

local play = {
  [RESERVE] = reserve, [CONFIRM] = confirm, [CANCEL] = cancel, [GET_HOLD] = get_hold,
  [SET] = set, [ADOPT] = adopt_stock, [GET_STOCK] = get_stock, [EXPIRE] = expire,
}

local results = {now, '', fence[2] or ''}
for i = 6, #ARGV do
  local op = ARGV[i]
  results[i - 2] = play[string.byte(op)](op)
end

-- ---------------------------------------------------------------- write

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

if swept ~= '' then
  call('ZREM', KEYS[3], swept)
  wrote = true
end
for slot, members in pairs(index) do
  for _, member in pairs(members) do call('ZADD', KEYS[3], slot, table.concat(member, ' ')) end
end

if wrote then call('HSET', KEYS[1], 'now', format('%.0f', now), writer, ARGV[4]) end
return results
