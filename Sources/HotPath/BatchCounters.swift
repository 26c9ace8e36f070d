/// What a shard's batch has done since it was made.
public struct BatchCounters {
  /// Calls of the script that have come back, however they did.
  public private(set) var scripts: UInt64 = 0
  /// Operations that went with them.
  public private(set) var operations: UInt64 = 0
  /// From sending to coming back, in all.
  public private(set) var nanoseconds: UInt64 = 0

  mutating func returned(_ operations: Int, after nanoseconds: UInt64) {
    scripts &+= 1
    self.operations &+= UInt64(operations)
    self.nanoseconds &+= nanoseconds
  }
}
