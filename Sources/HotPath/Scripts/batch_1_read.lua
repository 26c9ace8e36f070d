#!lua flags=allow-oom
-- The only judge of what happened: one batch of operations on one partition.
--
-- Redis gets the files batch_1_read, batch_2_say, batch_3_holds, batch_4_sweep, batch_5_stock and
-- batch_6_write as one script (Store.swift joins them, in this order).
--
-- How it works.  It READS every key that the batch names, PLAYS the operations in their order on Lua
-- tables, and only then WRITES.  An error in the middle of a script does not undo the writes before
-- it, so whatever can fail has failed before the first write; and the first is XADD.
--
-- The script may run while Redis is over its memory limit (allow-oom): what was promised must be able
-- to finish.  Whether a new hold may begin is a verdict that the server passes in (`placing`).
--
-- KEYS   fence, events, expiry, skus | the hold of each operation that names one | the request of
--        each `change_stock` | for each SKU: stock:<sku>, sku:<sku> | of a sweep: the indexes of
--        confirmed and of released holds, and how many holds each of them names
-- ARGV   1 counts and settings   2 source of the stream entry   3 writer   4 its sequence
--        5 the opening that the writer has seen, or ''   6 the last sequence that was answered to it
--        7... the members that are being swept, each behind the letter of its index; then all the
--        operations in one, for each of them how long after the earliest deadline its own is, in
--        milliseconds; and of a sweep: how long what has ended is remembered, and the hash of the dead
--        letters' ids, which is read alone, while a key takes all rights
-- Reply  now, stream id or '', how many members were swept, the heads of all results in one; then
--        what follows a head, of those results that say more
--
-- An operation is its length, its kind, and what follows for the kind; its function is told where that
-- begins and where it ends.  It returns an outcome, the units available, and what more there is to say.
-- That many operations and results share one string each spares Redis a twentieth of its instructions,
-- since Lua hashes every byte of every string that it is given, and stockd two allocations a call.
--
-- Layouts (struct, little-endian) are read and written on the other side by ScriptCodec.swift.

local call, pcall_redis = redis.call, redis.pcall
local pack, unpack_struct, sub = struct.pack, struct.unpack, string.sub
local floor, format, char = math.floor, string.format, string.char

-- Operations
local RESERVE, CONFIRM, CANCEL, GET_HOLD, CHANGE_STOCK, ADOPT = 1, 2, 3, 4, 5, 6
local GET_STOCK, EXPIRE, LIST_STOCK, EXTEND = 7, 8, 9, 10

-- What a change of stock is
local SET, ADJUST, RETIRE = 1, 2, 3

-- Outcomes (Answer.swift)
local HELD, REPEATED, SOLD_OUT, UNKNOWN_SKU, CONFIRMED_NOW, CANCELLED_NOW = 1, 2, 3, 4, 5, 6
local PAST_DEADLINE, NO_SUCH_HOLD, FOUND, STOCK_SET, STOCK_ADOPTED = 7, 8, 9, 10, 11
local ALREADY_CONFIRMED, ALREADY_CANCELLED, STOCK_ADJUSTED = 12, 13, 14
local TOO_FEW_AVAILABLE, AVAILABLE_DIFFERS, STOCK_RETIRED, NOT_FOR_SALE = 15, 16, 17, 18
local EXTENDED, EXTENDED_TOO_OFTEN = 19, 20
local KEY_REUSED, PAYMENT_REF_MISMATCH, STOCK_MISMATCH, STORE_FULL = 64, 65, 66, 67
local REQUEST_ID_REUSED, TOO_MANY_UNITS, NOT_DUE, FORGOTTEN = 68, 69, 70, 71
local HOLD_UNREADABLE, BACKLOG, SETTLED, TOO_LATE, SKU_NEEDED = 72, 73, 74, 254, 255

-- Whether new holds may begin (Store.swift)
local STORE_IS_FULL, BOOKS_ARE_BEHIND = 0, 2

-- What has changed of a SKU's figures: those that holds move, or all of them.
local MOVED, SOLD_SOME, RESTOCKED = 1, 2, 3

-- Status of a hold (Hold.swift)
local ACTIVE, CONFIRMED, CANCELLED, EXPIRED = 1, 2, 3, 4

-- A hold's record begins as the event that made it, the same bytes: what changes with its life, at
-- fixed places, and then what its reserve brought, copied from the operation as it is.  As two strings
-- they would be a third of all that Lua hashes for a reserve, and a twelfth of Redis's instructions.
local LIFE, LIFE_BYTES = '<BI8BBBI8BI8BI8', 38   -- created, status, version, changed, expires; tagged
local KEPT = '\146\1\15'   -- tag and length of `HoldEvent.kept`
local BROUGHT, BROUGHT_BYTES = '<I4c8BI2', 15   -- units, fingerprint, lengths of SKU and event part
local HEAD_BYTES = 56   -- of a record: all of these

-- What is left of a hold that has ended and is in the books: when it was created, how long after that its
-- deadline was and its last change, status, version, fingerprint; of a confirmed one also 16 digits of the
-- SHA-1 of its payment reference.  With at most 44 bytes Redis keeps it in one piece of memory.
local SHORT, SHORT_BYTES, REF_BYTES = '<I6I4I4BI2c8', 25, 16
local UNKNOWN_PRINT = string.rep('\0', 8)   -- of a hold that was rebuilt from the books
local UNITS_MAX, HOLD_UNITS_MAX = 1000000000000, 1000000
local EXTENSIONS_MAX = 10   -- of one hold
local EXACT = 9007199254740992   -- 2^53: up to here Lua counts exactly
local REQUEST_MS = 86400000   -- how long the request id of a change is remembered: 24 hours
local RETRY_MS = 60000   -- when the sweep looks again at what it could not end, or not settle
local ID_SLACK_MS = 1000   -- an entry's id is later than the time in its events by no more
local VISIT_MS = 900000   -- the sweep looks at every hold so often (Sweep.swift): it may have ended
local SLOT_MS = 200   -- holds that fall due within one slot of a batch share an index entry
local MEMBER_HOLDS = 96   -- holds that share an index entry at most (Sweep.swift)
local NEVER = 9007199254740991   -- when an opening ends that does not (Lease.swift)
local CLOCK_SLACK_MS = 500   -- a clock that is set back by no more ends no opening (Fence.swift)
local BOOKS_GROUP = 'inventory.cg'   -- writes the books (KeySpace.swift)
local SLICE = 1000    -- arguments that go through one unpack(); Lua's stack ends near 8,000

-- `first_deadline`: the earliest of the operations', by this Redis's clock; 0: none has one.
local hold_count, request_count, sku_count, member_count, placing, first_deadline =
  unpack_struct('<I4I4I4I4BI8', ARGV[1])
local writer = ARGV[3]
local operations, deadlines = ARGV[7 + member_count], ARGV[8 + member_count]
local FIXED = 4   -- keys before those of the operations
local first_request = FIXED + hold_count
local first_sku = first_request + request_count
local after_skus = first_sku + 2 * sku_count

local fence = call('HMGET', KEYS[1], 'now', 'open', writer, 'from', 'until')
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local known = tonumber(fence[3] or 0)
-- A kernel or a proxy may deliver what its sender has given up long ago, and sent again on another
-- connection.  Greeting there has raised the number that stands here (vote.lua).
if known >= tonumber(ARGV[4]) then
  return {err = 'STALE writer ' .. writer .. ' has done with batch ' .. ARGV[4] .. ' before'}
end
-- A Redis that the books have not opened, whose opening has run out, or that has forgotten what it
-- answered, does nothing.  The lease is measured by the clock that granted it: seen to be set back by half
-- a second since, it has none.  (A time beyond the lease is of a clock that was ahead before.)
if ARGV[5] ~= '' then
  if fence[2] ~= ARGV[5] then return {err = 'FENCED this Redis is not open to the sale'} end
  if fence[5] then
    local seen, ends = tonumber(fence[1] or nil) or 0, tonumber(fence[5])
    if now >= ends or now < tonumber(fence[4])
      or seen < ends and ends < NEVER and now + CLOCK_SLACK_MS < seen then
      return {err = 'FENCED the opening of this Redis has run out, and nobody has renewed it'}
    end
  end
  if known < tonumber(ARGV[6]) then
    local reason = 'FENCED writer ' .. writer .. ' was answered up to ' .. ARGV[6]
      .. ', and this Redis knows ' .. (fence[3] or 'nothing') .. ' of it'
    call('HDEL', KEYS[1], 'open')
    call('HSET', KEYS[1], 'lost', sub(reason, 8))
    return {err = reason}
  end
end
local before = tonumber(fence[1])
if before and before > now and before < EXACT then now = before end

-- ZSCORE is also the check that an index is one: a ZADD that failed after the XADD would tear the
-- batch.
call('ZSCORE', KEYS[3], '')
-- By their letter: of what falls due, of confirmed holds, of those that gave their units back.
local index_keys = {e = KEYS[3]}
local members = {}   -- those that are still there: another sweeper may have been faster
if member_count > 0 then
  index_keys.c, index_keys.r = KEYS[after_skus + 1], KEYS[after_skus + 2]
  call('ZSCORE', index_keys.c, '')
  call('ZSCORE', index_keys.r, '')
  for i = 1, member_count do
    local letter, name = sub(ARGV[6 + i], 1, 1), sub(ARGV[6 + i], 2)
    members[i] = call('ZSCORE', index_keys[letter], name) and {letter = letter, name = name}
  end
end

local records = {}
for first = FIXED + 1, first_sku, SLICE do
  local last = math.min(first + SLICE - 1, first_sku)
  local values = call('MGET', unpack(KEYS, first, last))
  for i = 1, #values do records[first + i - 1] = values[i] end
end

local holds = {}   -- by key, so that two operations on one hold see each other
local placed = {}  -- records made by this batch: most are never looked at again, and need no table

-- A record that this version did not write closes its hold alone, not the batch that names it.
local function is_short(record)
  if #record ~= SHORT_BYTES and #record ~= SHORT_BYTES + REF_BYTES then return false end
  local created, _, _, status, version = unpack_struct(SHORT, record)
  return status > ACTIVE and status <= EXPIRED and version > 0 and created < EXACT
end

local function short_hold(key, record)
  local created, expires, changed, status, version, print = unpack_struct(SHORT, record)
  return {
    key = key, status = status, version = version, created = created, expires = created + expires,
    changed = created + changed, print = print, short = record,
  }
end

local function readable(record)
  if #record < HEAD_BYTES or sub(record, LIFE_BYTES + 1, LIFE_BYTES + #KEPT) ~= KEPT then return false end
  local a, created, b, status, c, version, d, changed, e, expires = unpack_struct(LIFE, record)
  if a ~= 0x41 or b ~= 0x48 or c ~= 0x51 or d ~= 0x59 or e ~= 0x61 then return false end
  local qty, _, sku_bytes, part_bytes = unpack_struct(BROUGHT, record, LIFE_BYTES + #KEPT + 1)
  return status >= ACTIVE and status <= EXPIRED and version > 0
    and created < EXACT and expires < EXACT and changed < EXACT
    and qty > 0 and qty <= HOLD_UNITS_MAX
    and sku_bytes > 0 and part_bytes >= sku_bytes and #record >= HEAD_BYTES + part_bytes
    and string.find(sub(record, HEAD_BYTES + part_bytes - sku_bytes + 1, HEAD_BYTES + part_bytes),
      '^[%w%._/%-]+$') ~= nil
end

local function hold_at(place)
  local key = KEYS[FIXED + place]
  local hold = holds[key]
  if hold == nil then
    local record = placed[key] or records[FIXED + place]
    if record and is_short(record) then
      hold = short_hold(key, record)
    elseif record and not readable(record) then
      hold = {key = key, unreadable = true}
    elseif record then
      local _, created, _, status, _, version, _, changed, _, expires = unpack_struct(LIFE, record)
      local qty, print, sku_bytes, part_bytes = unpack_struct(BROUGHT, record, LIFE_BYTES + #KEPT + 1)
      local part_at = HEAD_BYTES + 1
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

local skus, sku_list, some_new = {}, {}, false
if sku_count > 0 then
  local stock_keys = {}
  for i = 1, sku_count do stock_keys[i] = KEYS[first_sku + 2 * i - 1] end
  local shown = call('MGET', unpack(stock_keys))
  for i = 1, sku_count do
    local key = KEYS[first_sku + 2 * i]
    local hash = pcall_redis('HMGET', key, 'available', 'held', 'sold', 'supplied', 'version',
      'retired')
    local available, held, sold, supplied, version
    if hash[1] then
      available, held, sold, supplied, version =
        units(hash[1]), units(hash[2]), units(hash[3]), units(hash[4]), units(hash[5])
    end
    -- Never seen by the service: a plain SET in redis-cli is adopted.  Anything else is not.
    local new = not hash.err and not (hash[1] or hash[2] or hash[3] or hash[4] or hash[5])
    -- With room for what it may come to have: growing the table later was 7% of what a SKU costs.
    local sku = {
      key = key, stock_key = stock_keys[i], name = string.match(key, '[^:]+$'), text = shown[i],
      shown = shown[i] and shown[i] == hash[1] and available or units(shown[i]),
      available = available, held = held, sold = sold, supplied = supplied, version = version,
      known = (available and held and sold and supplied and version) ~= nil,
      retired = hash[6] == '1', new = new,
      unknown = new and not shown[i] and call('EXISTS', stock_keys[i]) == 0,
      open = false, changed = false,
    }
    some_new, sku.open = some_new or new, is_open(sku)
    skus[sku.name], sku_list[i] = sku, sku
  end
end

-- An operation that names only its hold cannot say which SKU keys it needs.  The server learns the
-- SKU from this answer and sends the operation again with the next batch.
local function sku_of(hold) return sub(hold.part, -hold.sku_bytes) end

-- The answer, with room for the heads: an outcome (256 more: something follows) and the units available.
local results, heads, head_count = {now, '', 0, ''}, {}, 0
local function answer(outcome, available, more)
  heads[head_count + 1], heads[head_count + 2] = more and outcome + 256 or outcome, available or 0
  head_count = head_count + 2
  if more then results[#results + 1] = more end
end

local function answered()
  local parts = {}
  for first = 1, head_count, SLICE do
    local last = math.min(first + SLICE - 1, head_count)
    parts[#parts + 1] = pack('<' .. string.rep('I2I8', (last - first + 1) / 2), unpack(heads, first, last))
  end
  results[4] = table.concat(parts)
  return results
end

if member_count > 0 then
  local missing, at = false, 1
  while at <= #operations do
    local size, place, generation, member = unpack_struct('<I2xI2xxI8I2', operations, at)
    local hold = hold_at(place)
    if members[member] and hold and hold.created == generation and hold.status == ACTIVE
      and now >= hold.expires and not skus[sku_of(hold)] then
      missing = true
      answer(SKU_NEEDED, 0, sku_of(hold))
    else
      answer(NOT_DUE)
    end
    at = at + size
  end
  if missing then return answered() end
  heads, head_count = {}, 0
end
