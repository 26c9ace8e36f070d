import Wire

/// The items of a streaming call, in order.  Read it from one task.  Dropping it, or cancelling the
/// task that reads it, ends the stream at the server.
///
/// Unread items take no more memory than the stream's window and one item.
public struct StockStream<Item: Sendable>: AsyncSequence, Sendable {
  let handle: StreamHandle

  /// Reads the items.
  public struct AsyncIterator: AsyncIteratorProtocol {
    let handle: StreamHandle

    /// The next item; nil at the end.
    /// - Throws: `Status`.
    public mutating func next() async throws -> Item? {
      try await handle.client.next(of: handle.number, as: Item.self)
    }
  }

  /// An iterator; all of one stream share its items.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(handle: handle) }
}

/// Ends the stream when nobody holds it any more.
final class StreamHandle: Sendable {
  let number: UInt64
  let client: StockClient

  init(_ number: UInt64, of client: StockClient) {
    self.number = number
    self.client = client
  }

  deinit {
    let (client, number) = (client, number)
    Task { await client.end(number) }
  }
}

/// A stream whose item type is not known here.
protocol OpenStream: AnyObject {
  func close()
}

/// Items that have come and have not been read.  Lives on the client's queue.
final class ReceivedItems<Item: Sendable>: OpenStream {
  /// What a reader gets.
  enum Next: Sendable {
    case item(Item)
    case end(Status?)

    var isEnd: Bool {
      if case .end = self { true } else { false }
    }

    func get() throws(Status) -> Item? {
      switch self {
      case .item(let item): return item
      case .end(let status?): throw status
      case .end(nil): return nil
      }
    }
  }

  /// Lets the server send so many bytes more.
  var grant: (Int) -> Void = { _ in }
  /// Asks the server to stop.
  var cancel: () -> Void = {}

  private let windowBytes: Int
  private var items: [(item: Item, bytes: Int)] = []
  private var first = 0
  private var readBytes = 0
  private var end: Status??
  private var reader: CheckedContinuation<Next, Never>?

  init(windowBytes: Int) {
    self.windowBytes = windowBytes == 0 ? RPCLimits.windowBytesDefault : windowBytes
  }

  func received(_ item: Item, _ bytes: Int) {
    if let reader {
      self.reader = nil
      reader.resume(returning: .item(item))
      return read(bytes)
    }
    items.append((item, bytes))
  }

  func ended(_ status: Status?) {
    guard end == nil else { return }
    end = .some(status)
    reader?.resume(returning: .end(status))
    reader = nil
  }

  /// The next item, now or when it comes.
  func next(_ continuation: CheckedContinuation<Next, Never>) {
    precondition(reader == nil, "a stream is read from one task")
    if first < items.count {
      let (item, bytes) = items[first]
      first += 1
      if first == items.count || first > 1_024 {
        items.removeFirst(first)
        first = 0
      }
      continuation.resume(returning: .item(item))
      read(bytes)
    } else if let end {
      continuation.resume(returning: .end(end))
    } else {
      reader = continuation
    }
  }

  /// Grants what has been read, when it is half of the window: one grant for many items.
  private func read(_ bytes: Int) {
    readBytes += bytes
    guard readBytes >= windowBytes / 2 else { return }
    grant(readBytes)
    readBytes = 0
  }

  func close() {
    cancel()
    ended(.cancelled)
  }
}
