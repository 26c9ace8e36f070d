import Glibc
import Wire

@testable import RPC

/// A blocking server that says what a test wants, for what a real one would never say.
final class RawServer {
  let port: UInt16
  private let listener: Int32
  private var fd: Int32 = -1

  init() throws {
    listener = try Socket.listen(on: Address(host: "127.0.0.1", port: 0), access: SocketAccess())
    port = Socket.port(of: listener)
    _ = fcntl(listener, F_SETFL, 0)
    Self.limit(listener)
  }

  deinit {
    if fd >= 0 { close(fd) }
    close(listener)
  }

  var address: Address { Address(host: "127.0.0.1", port: port) }

  /// Waits for the client; after ten seconds the test fails at what follows.
  func accept() {
    fd = Glibc.accept(listener, nil, nil)
    Self.limit(fd)
  }

  private static func limit(_ fd: Int32) {
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
  }

  /// The next call; nil when the client has closed.
  func call() throws -> (id: UInt64, method: String, message: [UInt8])? {
    try envelope { ($0.callID, String(decoding: $0.method, as: UTF8.self), Array($0.message)) }
  }

  /// What is to be known of the next call; nil when the client has closed.
  func envelope<Known>(_ known: (RequestEnvelope) -> Known) throws -> Known? {
    guard let header = read(4), let payload = read(header.reduce(0) { $0 << 8 | Int($1) }) else {
      return nil
    }
    // The envelope lies in it.
    let arena = Arena()
    defer { arena.reset() }
    return try payload.withUnsafeBytes { known(try RequestEnvelope($0, arena: arena)) }
  }

  /// Answers a `Hello` as a server of the current version, or of the first.
  func greet(_ id: UInt64, version: UInt32 = ProtocolVersion.current) {
    if version == ProtocolVersion.first {
      refuse(id, Status(.unimplemented, reason: "UNKNOWN_METHOD", message: "No such method."))
    } else {
      answer(
        id, HelloReply(version: version, server: "test", limits: Server.Terms().limits))
    }
  }

  func refuse(_ id: UInt64, _ status: Status) {
    var wire = ByteBuffer()
    ResponseEnvelope.append(callID: id, status: status, to: &wire, arena: Arena())
    send(Array(wire.readable))
  }

  func answer(_ id: UInt64, _ reply: some ReplyMessage, isItem: Bool = false) {
    var message = ByteBuffer()
    var wire = ByteBuffer()
    reply.encode(into: &message, arena: Arena())
    ResponseEnvelope.append(
      callID: id, message: message, isItem: isItem, to: &wire, arena: Arena())
    send(Array(wire.readable))
  }

  func goAway(_ reason: String, closeAfterMs: UInt32) {
    var message = ByteBuffer()
    var wire = ByteBuffer()
    GoingAway(reason: reason, closeAfterMs: closeAfterMs).encode(into: &message, arena: Arena())
    ResponseEnvelope.append(callID: 0, message: message, to: &wire, arena: Arena())
    send(Array(wire.readable))
  }

  /// Ends the connection.
  func hangUp() { shutdown(fd, Int32(SHUT_RDWR)) }

  private func send(_ bytes: [UInt8]) {
    _ = bytes.withUnsafeBytes { Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  }

  private func read(_ count: Int) -> [UInt8]? {
    var bytes: [UInt8] = []
    while bytes.count < count {
      var piece = [UInt8](repeating: 0, count: count - bytes.count)
      let got = recv(fd, &piece, piece.count, 0)
      guard got > 0 else { return nil }
      bytes += piece[..<got]
    }
    return bytes
  }
}
