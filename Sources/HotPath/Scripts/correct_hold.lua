#!lua flags=allow-oom
-- Corrects one hold: its record gets the next version, and the event says the complete state that the
-- books are to take.  Nothing happens unless the hold is still what was looked at, so that the same
-- correction, made twice, does nothing the second time; where there is no record whose version could
-- tell, the correction itself is remembered, for a day.
--
-- The write that can fail goes first (XADD).
--
-- KEYS   events, fence, hold, the correction
-- ARGV   source | generation | its version, 0: Redis must not know this generation | status, new
--        version and deadline for the event | the event before these, and after them
-- Reply  the entry's id; nil: the hold has changed

local REMEMBER_MS = 86400000
local pack = struct.pack
local generation, version = tonumber(ARGV[2]), tonumber(ARGV[3])
local status, new_version, expires = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local record = redis.call('GET', KEYS[3])
local found, at, format = 0, 13, '<I8'   -- its version, and where it stands
if record and #record >= 56 then
  local _, created, _, _, _, has = struct.unpack('<BI8BBBI8', record)
  if created == generation then found = has end
elseif record and #record >= 25 then   -- remembered in short
  local created, _, _, _, has = struct.unpack('<I6I4I4BI2', record)
  at, format = 16, '<I2'
  if created == generation and new_version <= 65535 then found = has end
end
if found ~= version or redis.call('EXISTS', KEYS[4]) == 1 then return false end

local time, before = redis.call('TIME'), tonumber(redis.call('HGET', KEYS[2], 'now') or nil)
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if before and before > now then now = before end

local id = redis.call('XADD', KEYS[1], '*', 'source', ARGV[1], 'HOLD_CORRECTED', ARGV[7]
  .. pack('<BI8BBBI8BI8BI8', 0x41, generation, 0x48, status, 0x51, new_version, 0x59, now,
    0x61, expires) .. ARGV[8])
if version > 0 then
  local bytes = pack(format, new_version)
  if at == 13 then bytes = bytes .. string.sub(record, 21, 21) .. pack('<I8', now) end   -- and its change
  redis.call('SET', KEYS[3], string.sub(record, 1, at - 1) .. bytes .. string.sub(record, at + #bytes))
end
redis.call('SET', KEYS[4], id, 'PX', REMEMBER_MS)
redis.call('HSET', KEYS[2], 'now', string.format('%.0f', now))
return id
