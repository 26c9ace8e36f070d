import Harness
import Inventory
import Wire

@testable import HotPath

/// The event stream of a Redis, written as the script writes it.
struct Stream {
  let redis: RedisServer
  private let session: RedisSession

  init(_ redis: RedisServer) throws {
    self.redis = redis
    session = try RedisSession(to: RedisAddress(redis.url)!)
  }

  /// Appends one entry.
  /// - Parameter id: `*`, or an id above all others.
  @discardableResult
  func add(_ events: [Event], id: String = "*") throws -> String {
    try add(pairs: events.map { ($0.type.rawValue, EventBytes.of($0)) }, id: id)
  }

  /// Appends one entry with whatever stands in these pairs.
  @discardableResult
  func add(pairs: [(type: String, bytes: [UInt8])], id: String = "*") throws -> String {
    var command = ByteBuffer()
    command.append("*\(5 + 2 * pairs.count)\r\n")
    for argument in ["XADD", KeySpace().events, id, "source", "1/test/1"] {
      command.append(argument: argument)
    }
    for pair in pairs {
      command.append(argument: pair.type)
      pair.bytes.withUnsafeBytes { command.append(argument: $0) }
    }
    return try session.call(command) { $0.text ?? "" }
  }

  /// Appends one entry that a consumer is handed at once, before anybody who waits for news.
  func add(_ events: [Event], takenBy consumer: String) throws {
    try session.call(["MULTI"]) { _ in }
    try add(events)
    let read = ["XREADGROUP", "GROUP", KeySpace.group, consumer, "COUNT", "1"]
    try session.call(read + ["STREAMS", KeySpace().events, ">"]) { _ in }
    try session.call(["EXEC"]) { _ in }
  }

  /// A reader inside the test.
  func reader(_ consumer: String) throws -> EventStream {
    let stream = try EventStream(at: RedisAddress(redis.url)!, consumer: consumer)
    try stream.makeGroup()
    return stream
  }

  /// Nothing is unread, and nothing unacknowledged.
  func isDone() throws -> Bool {
    let group = try reader("observer").groups().first { $0.name == KeySpace.group }
    guard let group, group.pending == 0 else { return false }
    let last = try redis.cli("XREVRANGE", KeySpace().events, "+", "-", "COUNT", "1")
    guard let newest = last.split(separator: "\n").first.flatMap({ StreamID(String($0)) }) else {
      return true
    }
    return group.lastDelivered >= newest
  }

  var pending: Int { get throws { try reader("observer").groups().first?.pending ?? 0 } }

  /// The names in the worker's group.
  func consumers() throws -> [String] {
    try redis.cli("XINFO", "CONSUMERS", KeySpace().events, KeySpace.group).split(separator: "\n")
      .map(String.init)
  }

  func length(_ key: String = KeySpace().events) throws -> Int {
    Int(try redis.cli("XLEN", key)) ?? -1
  }
}

/// A stockworker process between a stream and some books.
func startWorker(
  _ redis: RedisServer, _ books: Books, name: String = "one", _ more: [String] = []
) throws -> Program {
  RedisServer.nameBooks(books.url)
  return try Program.start(
    "stockworker",
    [
      "--redis", redis.url, "--database", books.url, "--name", name, "--log-level", "debug",
      "--retention-ms", "7776000000",
    ] + more)
}
