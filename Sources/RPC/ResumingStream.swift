public import Wire

/// A streaming request that can be made again where its stream broke off.
public protocol ResumableRequest: StreamRequest, Sendable {
  /// The same request, for what follows an item.
  func resumed(after item: Reply) -> Self
}

extension FollowRequest: ResumableRequest {
  /// Goes on after an item's event.
  public func resumed(after item: FollowItem) -> FollowRequest {
    var next = self
    next.after = item.token
    return next
  }
}

extension WatchStockRequest: ResumableRequest {
  /// Goes on from what the reader knows.
  public func resumed(after item: StockUpdate) -> WatchStockRequest {
    var next = self
    next.after = item.token
    return next
  }
}

extension StockClient {
  /// Every event, at least once, those of one hold or SKU in their order.  Goes on by itself after a
  /// lost connection.  An event that comes again has the same id.  Items without an event only say
  /// how far the stream is: keep the token of the last item, whatever it is.
  /// - Parameter request: where to begin, and which events.
  public nonisolated func follow(
    _ request: FollowRequest = FollowRequest()
  ) -> ResumingStream<FollowRequest> {
    ResumingStream(request: request, client: self)
  }

  /// The figures of some SKUs, and again whenever they have changed.  Goes on by itself after a lost
  /// connection.
  /// - Parameter skus: 1 to `WatchStockRequest.skusMax`, each once.
  public nonisolated func watch(
    skus: [String], after token: String = ""
  ) -> ResumingStream<WatchStockRequest> {
    ResumingStream(request: WatchStockRequest(skus: skus, after: token), client: self)
  }
}

/// The items of a stream that is made again, from the last item on, when its server or the way to it
/// is gone.  Read it from one task; cancelling that task ends the stream.
public struct ResumingStream<Request: ResumableRequest>: AsyncSequence, Sendable {
  /// Hears why a stream broke off, and nil when the next has its first item.
  public typealias Watcher = @Sendable (Status?) -> Void

  let request: Request
  let client: StockClient
  /// Told on the task that reads.
  public var watcher: Watcher?

  init(request: Request, client: StockClient) {
    (self.request, self.client) = (request, client)
  }

  /// Reads the items.
  public struct AsyncIterator: AsyncIteratorProtocol {
    private var request: Request
    private let client: StockClient
    private let watcher: Watcher?
    private var current: StockStream<Request.Reply>.AsyncIterator?
    /// Streams that ended since the last item.
    private var failures = 0

    init(_ request: Request, _ client: StockClient, _ watcher: Watcher?) {
      (self.request, self.client, self.watcher) = (request, client, watcher)
    }

    /// The next item; nil at the end.
    /// - Throws: `Status`, when the stream cannot go on: the token is too old, the request is wrong,
    ///   the task was cancelled.
    public mutating func next() async throws -> Request.Reply? {
      while true {
        do {
          if current == nil {
            current = try await client.begin(request, failures: failures).makeAsyncIterator()
          }
          let item = try await current!.next()
          if failures > 0 { watcher?(nil) }
          failures = 0
          if let item { request = request.resumed(after: item) }
          return item
        } catch let status as Status where StockClient.canResume(status) {
          current = nil
          if failures == 0 { watcher?(status) }
          failures += 1
        }
      }
    }
  }

  /// An iterator, which makes a stream of its own.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(request, client, watcher) }
}

extension StockClient {
  /// How long one attempt to reach the server may take, in milliseconds.
  private static let dialMsMax: UInt32 = 30_000

  /// Waits for the server, and makes the stream.
  fileprivate func begin<Request: StreamRequest & Sendable>(
    _ request: Request, failures: Int
  ) async throws -> StockStream<Request.Reply> {
    if failures > 0 {
      let ceiling = min(2_000, 20 << min(failures, 7))
      try? await Task.sleep(nanoseconds: UInt64.random(in: 0...UInt64(ceiling)) * 1_000_000)
      guard !Task.isCancelled else { throw Status.cancelled }
      // Calls wait while the server is away, and find another one; streams do not.
      _ = try await call(PingRequest(), timeoutMs: Self.dialMsMax)
    }
    return try await stream(request)
  }

  /// Whether a stream that ended like this can be made again.
  fileprivate static func canResume(_ status: Status) -> Bool {
    guard !Task.isCancelled else { return false }
    return status.retryable || status.outcomeUnknown || status.code == .unavailable
  }
}
