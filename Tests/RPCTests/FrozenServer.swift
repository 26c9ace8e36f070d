import Dispatch
import Glibc
import Harness
import Synchronization
import Wire

/// A server of another time: it answers each call with the bytes that the first server sent, under the
/// id of the call; or as a server of a later version would, which says more than is known today.
final class FrozenServer: Sendable {
  enum Age: CaseIterable {
    case first
    case later
  }

  let port: UInt16
  private let age: Age
  private let conversation: FrozenConversation
  private let listener: Int32
  private let state = Mutex(State())

  private struct State {
    var asked: [String] = []
    /// How many exchanges of the same request have been played.
    var played: [[UInt8]: Int] = [:]
    var unanswered = 0
  }

  init(_ age: Age) throws {
    self.age = age
    conversation = try FrozenConversation()
    port = freePort()
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let bound = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard bound == 0, listen(listener, 8) == 0 else { throw HarnessError("cannot listen") }
    DispatchQueue.global().async { self.accept() }
  }

  /// Methods that were asked for, in order.
  var asked: [String] { state.withLock { $0.asked } }

  /// Calls that it has left without an answer, since the first server never heard such a request.
  var unanswered: Int { state.withLock { $0.unanswered } }

  /// Accepts nothing more.  Connections end with their clients.
  func stop() {
    shutdown(listener, Int32(SHUT_RDWR))
    close(listener)
  }

  private func accept() {
    while true {
      let client = Glibc.accept(listener, nil, nil)
      guard client >= 0 else { return }
      DispatchQueue.global().async { self.serve(client) }
    }
  }

  private func serve(_ client: Int32) {
    defer { close(client) }
    if age == .later { say(Self.unknownNotice, to: client) }
    while let header = read(4, from: client),
      let payload = read(header.reduce(0) { $0 << 8 | Int($1) }, from: client)
    {
      guard let answer = try? answer(to: payload) else { continue }
      say(answer, to: client)
    }
  }

  private func answer(to payload: [UInt8]) throws -> [UInt8]? {
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    return try payload.withUnsafeBytes { bytes in
      let request = try RequestEnvelope(bytes, arena: arena)
      let method = String(decoding: request.method, as: UTF8.self)
      state.withLock { $0.asked.append(method) }
      if age == .later, method == HelloRequest.method { return hello(request.callID) }
      guard let exchange = exchange(method, Array(request.message)) else {
        state.withLock { $0.unanswered += 1 }
        return nil
      }
      return try reply(exchange, as: request.callID)
    }
  }

  /// The same request may have been answered differently each time: in the order of then.
  private func exchange(_ method: String, _ message: [UInt8]) -> FrozenConversation.Exchange? {
    guard conversation.exchanges.contains(where: { $0.method == method }) else {
      return conversation["no such method"]
    }
    if method == HelloRequest.method { return conversation["hello of a later client"] }
    let same = conversation.exchanges.filter { $0.method == method && $0.message == message }
    guard !same.isEmpty else { return nil }
    let turn = state.withLock { state in
      state.played[Array(method.utf8) + message, default: -1] += 1
      return state.played[Array(method.utf8) + message, default: 0]
    }
    return same[min(turn, same.count - 1)]
  }

  // MARK: what it says

  private func reply(_ exchange: FrozenConversation.Exchange, as id: UInt64) throws -> [UInt8] {
    let payload = exchange.reply.dropFirst(Frame.headerBytes)
    // An envelope begins with its call id, one byte of it in every recorded frame.
    precondition(payload.first == 0x08 && (payload.dropFirst().first ?? 0x80) < 0x80)
    guard age == .later else { return Self.frame(id, payload.dropFirst(2)) }
    let arena = Arena()
    defer { withExtendedLifetime(arena) {} }
    let message = try Array(payload).withUnsafeBytes {
      try ResponseEnvelope($0, arena: arena).result.map { Array($0) }
    }
    guard case .success(let bytes) = message else {
      return Self.frame(id, payload.dropFirst(2) + Self.unknownFields)
    }
    return Self.frame(id, Self.field(4, bytes + Self.unknownFields) + Self.unknownFields)
  }

  private func hello(_ id: UInt64) -> [UInt8] {
    var message = ByteBuffer()
    HelloReply(
      version: ProtocolVersion.current, server: "stockd/9.0.0", limits: ConnectionLimits()
    ).encode(into: &message, arena: Arena())
    return Self.frame(
      id, Self.field(4, Array(message.readable) + Self.unknownFields) + Self.unknownFields)
  }

  /// One field of each wire type, of numbers that no message has.
  private static let unknownFields: [UInt8] =
    [0xC0, 0x3E, 0x07]  // 1000: 7
    + [0xC9, 0x3E, 1, 2, 3, 4, 5, 6, 7, 8]  // 1001: eight bytes
    + [0xD2, 0x3E, 0x03] + Array("new".utf8)  // 1002: "new"
    + [0xDD, 0x3E, 1, 2, 3, 4]  // 1003: four bytes

  /// About the connection: call id 0, and a message of fields that are not known today.
  private static let unknownNotice = frame(nil, field(4, unknownFields))

  private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
    [number << 3 | 2] + varint(UInt64(bytes.count)) + bytes
  }

  private static func frame(_ id: UInt64?, _ rest: some Sequence<UInt8>) -> [UInt8] {
    let payload = (id.map { [0x08] + varint($0) } ?? []) + Array(rest)
    return withUnsafeBytes(of: UInt32(payload.count).bigEndian) { Array($0) } + payload
  }

  private static func varint(_ value: UInt64) -> [UInt8] {
    value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F) | 0x80] + varint(value >> 7)
  }

  // MARK: socket

  private func say(_ bytes: [UInt8], to client: Int32) {
    _ = bytes.withUnsafeBytes { send(client, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  }

  private func read(_ count: Int, from client: Int32) -> [UInt8]? {
    var bytes: [UInt8] = []
    while bytes.count < count {
      var piece = [UInt8](repeating: 0, count: count - bytes.count)
      let got = recv(client, &piece, piece.count, 0)
      guard got > 0 else { return nil }
      bytes += piece[..<got]
    }
    return bytes
  }
}
