-- Playing the operations: those on the stock of a SKU.

local function set(at, last)
  local place, sku, available, print, part_at = unpack_struct('<I2I2I8c8', operations, at)
  sku = sku_list[sku]
  local key = KEYS[first_request + place]
  local known = requests[key] or records[first_request + place]
  if known then
    if known ~= print then return REQUEST_ID_REUSED end
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
  emit_stock('STOCK_SET', sub(operations, part_at, last), sku, delta)
  return with_figures(STOCK_SET, sku)
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
