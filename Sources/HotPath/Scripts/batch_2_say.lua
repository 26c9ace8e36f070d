-- Playing the operations: how they say what they have changed.

local entry, entry_count = {'XADD', KEYS[2], '*', 'source', ARGV[2]}, 5
local values, value_count, forgotten, requests, listed = {}, 0, {}, {}, {}
local indexes = {e = {}, c = {}, r = {}}   -- what is to be added to each, by slot and generation

local function varint(n)
  if n < 128 then return char(n) end
  return char(128 + n % 128, floor(n / 128))
end

local function emit(type, bytes)
  entry[entry_count + 1], entry[entry_count + 2] = type, bytes
  entry_count = entry_count + 2
end

local function write_value(key, value)
  values[value_count + 1], values[value_count + 2] = key, value
  value_count = value_count + 2
end

-- The change part of an event of a hold, with the time of its creation before it.
local function change_part(created, status, version, changed, expires)
  return pack(LIFE, 0x41, created, 0x48, status, 0x51, version, 0x59, changed,
    0x61, expires)
end

-- `trace`: of the call behind the change, or ''.  `said`: encoded fields, who asked for it and why.
local function emit_hold(type, hold, trace, said)
  local ref = hold.ref == '' and '' or '\106' .. varint(#hold.ref) .. hold.ref
  if trace ~= '' then ref = ref .. '\114' .. varint(#trace) .. trace end
  emit(type, hold.part
    .. change_part(hold.created, hold.status, hold.version, hold.changed, hold.expires) .. ref .. said)
end

-- The first event of a SKU also puts it into the list of all.
local function emit_stock(type, part, sku, delta)
  if not call('ZSCORE', KEYS[4], sku.name) then listed[#listed + 1] = sku.name end
  emit(type, part .. pack('<BI8BI8BI8BI8BI8BI8Bi8', 0x41, sku.version, 0x49, now,
    0x51, sku.available, 0x59, sku.held, 0x61, sku.sold, 0x69, sku.supplied, 0x71, delta)
    .. (sku.retired and '\128\1\1' or ''))
end

local function adopt(sku)
  local before = sku.known and sku.supplied or 0
  if not sku.known then sku.held, sku.sold, sku.version = 0, 0, 0 end
  sku.available, sku.version = sku.shown, sku.version + 1
  sku.supplied = sku.available + sku.held + sku.sold
  sku.known, sku.new, sku.open, sku.changed, sku.adopted = true, false, true, RESTOCKED, true
  emit_stock('STOCK_ADOPTED', '\10' .. varint(#sku.name) .. sku.name, sku, sku.supplied - before)
end

-- A member of an index is a generation and the holds of that generation: `<created> H-… H-…`.
local function member_of(index, created, when, slot_ms)
  local slot = math.ceil(when / slot_ms) * slot_ms
  local generations = index[slot]
  if not generations then
    generations = {}
    index[slot] = generations
  end
  local member = generations[created]
  if not member then
    member = {format('%d', created)}
    generations[created] = member
  end
  return member
end

-- When the sweep is to look at a hold.
local function due_at(key, created, when)
  local member = member_of(indexes.e, created, when, SLOT_MS)
  member[#member + 1] = sub(key, -30)
end

local function record_of(hold)
  if hold.short then return hold.short end
  return change_part(hold.created, hold.status, hold.version, hold.changed, hold.expires)
    .. hold.brought .. hold.ref
end

local function with_hold(outcome, hold, sku)
  return outcome, sku and sku.available or 0, record_of(hold)
end

local function with_figures(outcome, sku)
  local more = pack('<I8I8I8I8B', sku.held or 0, sku.sold or 0, sku.supplied or 0, sku.version or 0,
    sku.retired and 1 or 0)
  if outcome == STOCK_MISMATCH then
    more = more .. (sku.shown and format('%d', sku.shown) or sub(sku.text or '', 1, 64))
  end
  return outcome, sku.available or 0, more
end
