import Glibc

/// Asks every 10 ms whether something has become true, and returns as soon as it has.
///
/// A condition that throws counts as "not yet", since what is waited for is often a server that
/// is coming back; the last error is part of the failure.
///
/// - Parameters:
///   - timeout: How long to ask before giving up.
///   - what: Names the event in the failure: "the books hold ten orders".
///   - condition: Asked at least once; must return promptly.
/// - Throws: ``HarnessError`` when time is up, or `CancellationError`.
public func eventually(
  timeout: Duration = .seconds(10), _ what: String,
  isolation: isolated (any Actor)? = #isolation,
  _ condition: () async throws -> Bool
) async throws {
  let clock = ContinuousClock()
  let deadline = clock.now + timeout
  var lastError: (any Error)?
  while true {
    do {
      if try await condition() { return }
      lastError = nil
    } catch {
      lastError = error
    }
    if clock.now >= deadline { break }
    try await clock.sleep(for: .milliseconds(10))
  }
  let cause = lastError.map { "; the last attempt failed: \($0)" } ?? ""
  throw HarnessError("within \(timeout) it did not come true: \(what)\(cause)")
}

/// The same for callers that may block their thread: starting and stopping processes.
func blockUntil(timeout: Duration, _ condition: () throws -> Bool) rethrows -> Bool {
  let clock = ContinuousClock()
  let deadline = clock.now + timeout
  while true {
    if try condition() { return true }
    if clock.now >= deadline { return false }
    usleep(2_000)
  }
}
