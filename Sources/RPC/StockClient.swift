import Dispatch
import Loop
public import Wire

/// A client for Swift programs: one connection, many calls in flight, made again when it has died.
///
/// Calls may be made from any task.  Every call ends in a reply or in a `Status`.
public actor StockClient {
  private let address: Address
  private let executor: LoopExecutor
  private var loop: EventLoop?
  private var connection: ClientConnection?

  /// The loop's queue.
  public nonisolated var unownedExecutor: UnownedSerialExecutor {
    executor.asUnownedSerialExecutor()
  }

  /// A client that connects with its first call.
  public init(to address: Address) {
    self.address = address
    executor = LoopExecutor(label: "stockstream.client")
  }

  /// Makes one call.
  /// - Parameter timeoutMs: how long to wait, at least 1 millisecond.
  /// - Throws: `Status`.
  public func call<Request: RequestMessage & Sendable>(
    _ request: Request, timeoutMs: UInt32 = 5_000
  ) async throws(Status) -> Request.Reply {
    let connection = try connected()
    let result = await withCheckedContinuation { continuation in
      connection.call(request, timeoutMs: max(timeoutMs, 1)) { continuation.resume(returning: $0) }
    }
    return try result.get()
  }

  /// Closes the connection; a later call makes another.
  public func close() {
    connection?.close()
    connection = nil
    loop?.stop()
    loop = nil
  }

  private func connected() throws(Status) -> ClientConnection {
    if let connection, connection.closedReason == nil { return connection }
    do throws(SystemError) {
      if loop == nil { loop = try EventLoop(on: executor.queue) }
      let made = try ClientConnection(to: address, on: loop!)
      connection = made
      return made
    } catch {
      throw .unreachable("\(error)")
    }
  }
}
