-- Playing the operations: those on the stock of a SKU.

-- `amount`: the units available of a set, what an adjustment adds to them.  `expected`: only if so
-- many are available now; -1: whatever there is.
local function change_stock(at, last)
  local place, sku, how, amount, expected, print, part_at =
    unpack_struct('<I2I2Bi8i8c8', operations, at)
  sku = sku_list[sku]
  local key = KEYS[first_request + place]
  local known = requests[key] or records[first_request + place]
  if known then
    if known ~= print then return REQUEST_ID_REUSED end
    return with_figures(REPEATED, sku)
  end
  if sku.unknown and how ~= SET then return UNKNOWN_SKU end
  if not sku.unknown and not is_open(sku) then return with_figures(STOCK_MISMATCH, sku) end

  local available, held, sold = sku.available or 0, sku.held or 0, sku.sold or 0
  if how == SET then
    if expected >= 0 and expected ~= available then return with_figures(AVAILABLE_DIFFERS, sku) end
    available = amount
  elseif how == ADJUST then
    available = available + amount
    if available < 0 then return with_figures(TOO_FEW_AVAILABLE, sku) end
  elseif sku.retired then
    return with_figures(REPEATED, sku)
  end
  local supplied = available + held + sold
  if supplied > UNITS_MAX then return with_figures(TOO_MANY_UNITS, sku) end

  local delta = supplied - (sku.supplied or 0)
  sku.available, sku.shown, sku.held, sku.sold, sku.supplied = available, available, held, sold, supplied
  sku.version, sku.changed, sku.known = (sku.version or 0) + 1, RESTOCKED, true
  sku.open, sku.new, sku.unknown = true, false, false
  if how ~= ADJUST then sku.retired = how == RETIRE end
  requests[key] = print
  local outcome, type = STOCK_SET, 'STOCK_SET'
  if how == ADJUST then outcome, type = STOCK_ADJUSTED, 'STOCK_ADJUSTED' end
  if how == RETIRE then outcome, type = STOCK_RETIRED, 'STOCK_RETIRED' end
  emit_stock(type, sub(operations, part_at, last), sku, delta)
  return with_figures(outcome, sku)
end

local function adopt_stock(at)
  local sku = unpack_struct('<xxI2', operations, at)
  sku = sku_list[sku]
  if sku.unknown then return UNKNOWN_SKU end
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

local function get_stock(at)
  local sku = unpack_struct('<xxI2', operations, at)
  sku = sku_list[sku]
  if sku.unknown then return UNKNOWN_SKU end
  return with_figures(is_open(sku) and FOUND or STOCK_MISMATCH, sku)
end

-- How many names, and only the names: the server asks for the figures of each by itself.  What this
-- batch has only begun to know is not among them.
local function list_stock(at, last)
  local limit, after_at = unpack_struct('<xxxxI2', operations, at)
  local after = sub(operations, after_at, last)
  local names = call('ZRANGE', KEYS[4], after == '' and '-' or '(' .. after, '+', 'BYLEX', 'LIMIT', 0,
    limit)
  return FOUND, #names, table.concat(names, '\n')
end
