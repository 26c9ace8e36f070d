import Glibc

/// A value behind a lock that ThreadSanitizer knows.  It does not see into the slow path of
/// `Synchronization.Mutex`, which is compiled in the library, and takes whoever waited there for a race.
///
/// `@unchecked Sendable`: `value` is touched in `init` and between lock and unlock alone.
final class Locked<Value>: @unchecked Sendable {
  private var value: Value
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

  init(_ value: sending Value) {
    self.value = value
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    mutex.deallocate()
  }

  /// Changes the value while nobody else does.  Not from inside of another call.
  func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body(&value)
  }
}
