/// Why an operation has no answer.
public enum StoreFault: Error, Equatable {
  /// The deadline passed.  `sent`: the operation may have reached Redis.
  case deadline(sent: Bool)
  /// The service is ending.  `sent`: the operation may have reached Redis.
  case closing(sent: Bool)
  /// Those that wait would take too long; nothing was done.  A repeat after `retryAfterMs` finds
  /// them gone.
  case overloaded(retryAfterMs: UInt32)
  /// The caller took it back before it was sent; nothing was done.
  case cancelled
  /// Redis refused the script before its first write.  Its text is in the log.  `sent`: an earlier
  /// attempt may have reached Redis.
  case refused(sent: Bool)
  /// The script failed where it must not.  Its text is in the log.
  case failed
}
