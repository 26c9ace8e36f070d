public import Wire

/// The answer of a streaming call, while it goes on.  Lives on the loop's queue.
///
/// The peer grants bytes, and nothing beyond them waits in memory: send while there is room, then
/// wait for `onRoom`.  Whoever ends the stream (`finish`, `fail`, or the peer, which is told to
/// `onCancel`) ends it once; afterwards sending does nothing.
public final class ResponseStream {
  /// Called when there is room again, after there was none.
  public var onRoom: () -> Void = {}
  /// Called when the peer has cancelled the stream, its deadline has passed or its connection has
  /// died.  The stream has ended.
  public var onCancel: () -> Void = {}
  /// Nothing can be sent any more.
  public private(set) var hasEnded = false

  private let id: UInt64
  private let connection: Connection
  private var waiting = false
  var deadlineTimer: UInt64?

  init(_ id: UInt64, on connection: Connection) {
    self.id = id
    self.connection = connection
  }

  /// Whether another item may be sent; if not, `onRoom` is called when it may.
  public func hasRoom() -> Bool {
    if hasEnded { return false }
    let room = connection.hasRoom(id)
    if !room { waiting = true }
    return room
  }

  /// Sends one item.  Ask `hasRoom` before.
  public func send(_ item: some ReplyMessage) {
    if !hasEnded { connection.sendItem(item, on: id) }
  }

  /// Ends the stream in order.
  public func finish() {
    guard !hasEnded else { return }
    end()
    connection.reply(to: id, EmptyReply())
  }

  /// Ends the stream with a failure.
  public func fail(_ status: Status) {
    guard !hasEnded else { return }
    end()
    connection.fail(id, status)
  }

  func roomAgain() {
    guard waiting, !hasEnded else { return }
    waiting = false
    onRoom()
  }

  /// Ends the stream because of the peer.
  func cancel(_ status: Status) {
    guard !hasEnded else { return }
    let told = onCancel
    end()
    connection.fail(id, status)
    told()
  }

  /// What hangs on the stream is let go: its owner may hold it from there.
  private func end() {
    hasEnded = true
    (onRoom, onCancel) = ({}, {})
    connection.ended(self, id)
  }
}
