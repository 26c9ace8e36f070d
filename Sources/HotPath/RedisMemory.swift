/// How much memory a Redis uses, as `INFO memory` says.
struct RedisMemory: Equatable {
  let usedBytes: Int64
  /// 0: no limit.
  let limitBytes: Int64

  /// nil: not the reply of `INFO memory`.
  init?(_ info: RedisInfo) {
    guard let used = info["used_memory"].flatMap({ Int64($0) }),
      let limit = info["maxmemory"].flatMap({ Int64($0) })
    else { return nil }
    (usedBytes, limitBytes) = (used, limit)
  }

  /// The share of the limit that is in use, 0 to 1 and beyond; 0 without a limit.
  var use: Double { limitBytes > 0 ? Double(usedBytes) / Double(limitBytes) : 0 }

  /// How much may be in use while holds begin: all but `headroomBytes`, of a small Redis seven eighths;
  /// 0 without a limit.
  func roomBytes(headroomBytes: Int64) -> Int64 {
    limitBytes - min(headroomBytes, limitBytes / 8)
  }

  /// Whether `headroomBytes` are free; a small Redis keeps an eighth free instead.
  func hasRoom(headroomBytes: Int64) -> Bool {
    limitBytes == 0 || usedBytes < roomBytes(headroomBytes: headroomBytes)
  }
}
