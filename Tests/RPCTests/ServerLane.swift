import Dispatch
import Glibc
import Logging
import Loop
import Wire

@testable import RPC

/// A server without a store, on a queue of its own: `Health.Check` answers at once, `Stock.Get`
/// when the test says so.
actor ServerLane {
  private let executor = LoopExecutor(label: "test.server")
  private let loop: EventLoop
  private var server: Server?
  private let waiting = Waiting()
  private let counters = Counters()
  private let seen = Seen()

  /// Calls that the test will answer.
  private final class Waiting {
    var calls: [Call] = []
    var cancelled = 0

    func cancel(_ call: Call) {
      guard let place = calls.firstIndex(where: { $0 === call }) else { return }
      calls.remove(at: place)
      cancelled += 1
      call.fail(.cancelled)
    }
  }

  /// What an observer was told.
  private final class Seen: CallObserver {
    var calls: [String] = []

    func ended(_ call: CallRecord, _ status: Status?, now: UInt64) {
      calls.append(
        "\(call.metadata[Metadata.requestIDKey] ?? "-") \(status?.code.name ?? "OK")")
    }
  }

  private final class Counters {
    var open: [Counter] = []
  }

  nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

  init() throws { loop = try EventLoop(on: executor) }

  func start(
    terms: Server.Terms = Server.Terms(),
    on addresses: [Address] = [Address(host: "127.0.0.1", port: 0)], owner: SocketOwner? = nil
  ) throws -> UInt16 {
    var methods = MethodTable()
    methods.on(HealthCheckRequest.method) { call in
      call.reply(HealthCheckReply(status: .serving, warnings: [], version: "test"))
    }
    methods.on(GetStockRequest.method) { [waiting] call in
      waiting.calls.append(call)
      call.whenCancelled { [waiting] in waiting.cancel(call) }
    }
    methods.onStream(CountRequest.method) { [counters] (call, stream) throws(Status) in
      counters.open.append(Counter(on: stream, from: try CountRequest(call.message)))
    }
    var chain = CallChain()
    chain.observers = [seen]
    chain.identity = { _, _, metadata in
      metadata["token"] == "no"
        ? Status(.permissionDenied, reason: "NOT_ALLOWED", message: "Not you.") : nil
    }
    let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    let server = Server(
      methods: methods, chain: chain, terms: terms, loop: loop, logger: logger)
    try server.listen(on: addresses, access: SocketAccess(mode: 0o600, owner: owner))
    self.server = server
    guard case .tcp(_, let port) = server.listening.addresses[0] else { return 0 }
    return port
  }

  /// Calls that wait to be answered.
  var waitingCount: Int { waiting.calls.count }

  /// Until when those calls are waited for, in nanoseconds of CLOCK_MONOTONIC.
  var waitingDeadlines: [UInt64] { waiting.calls.map(\.deadline) }

  /// What an observer was told: request id and code of each call.
  var observed: [String] { seen.calls }

  /// Calls that their callers have stopped.
  var cancelledCount: Int { waiting.cancelled }

  /// Items that the streams have sent, and whether each has ended.
  var streams: [(sent: UInt64, ended: Bool)] { counters.open.map { ($0.sent, $0.ended) } }

  /// Answers those that wait, last one first.
  /// - Parameter padding: bytes that each answer has more than it needs.
  func answerBackwards(padding: Int = 0) {
    let stock =
      padding > 0
      ? StockLevel(sku: String(repeating: "x", count: padding), figures: .none) : nil
    // One that is answered is out of reach of whoever cancels the others meanwhile.
    while let call = waiting.calls.popLast() {
      call.reply(StockReply(outcome: .unknownSKU, stock: stock))
    }
  }

  var connectionCount: Int { server?.connectionCount ?? 0 }

  /// What the connections hold, and how many were closed for it.
  var held: (bytes: Int, shed: UInt64) {
    (server?.connectionBytes ?? 0, server?.connectionsShed ?? 0)
  }

  func drain() async {
    await withCheckedContinuation { continuation in
      guard let server else { return continuation.resume() }
      server.drain { continuation.resume() }
    }
  }

  func beginToDrain() { server?.drain {} }

  func stop() {
    server?.closeAll()
    loop.stop()
  }
}

/// A blocking socket that speaks bytes, for what a client library would never send.
final class RawPeer {
  private let fd: Int32

  /// - Parameters:
  ///   - source: the address to come from.
  ///   - receiveBytes: of the kernel's buffer; nil: what it likes.
  init(port: UInt16, from source: String = "127.0.0.1", receiveBytes: Int32? = nil) {
    fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    if var receiveBytes {
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receiveBytes, socklen_t(MemoryLayout<Int32>.size))
    }
    var own = sockaddr_in()
    own.sin_family = sa_family_t(AF_INET)
    own.sin_addr.s_addr = inet_addr(source)
    withUnsafePointer(to: &own) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    var limit = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }

  deinit { close(fd) }

  func send(_ bytes: [UInt8]) {
    _ = bytes.withUnsafeBytes { Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
  }

  /// The next reply: its call id, and its status if it failed.
  func reply() throws -> (callID: UInt64, status: Status?)? {
    guard let payload = frame() else { return nil }
    var buffer = ByteBuffer()
    payload.withUnsafeBytes { buffer.append($0) }
    let response = try ResponseEnvelope(buffer.readable, arena: Arena())
    if case .failure(let status) = response.result { return (response.callID, status) }
    return (response.callID, nil)
  }

  /// The message of the next reply; nil when it failed, or when the server has closed.
  func message() throws -> [UInt8]? {
    guard let payload = frame() else { return nil }
    return try payload.withUnsafeBytes {
      Array(try ResponseEnvelope($0, arena: Arena()).result.get())
    }
  }

  /// Why the connection was not taken; nil: something else comes next.
  func refusal() throws -> String? {
    guard let message = try message() else { return nil }
    return message.withUnsafeBytes { bytes in
      GoingAway(notice: bytes, arena: Arena()).flatMap { $0.isRefusal ? $0.reason : nil }
    }
  }

  /// The next envelope, undecoded.
  func response() -> [UInt8]? { frame() }

  private func frame() -> [UInt8]? {
    guard let header = read(4) else { return nil }
    return read(header.reduce(0) { $0 << 8 | Int($1) })
  }

  /// Whether the server has closed the connection; waits for something to happen.
  var isClosedByPeer: Bool { read(1) == nil }

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

  /// A call as a frame.
  static func frame(
    _ id: UInt64, _ method: String, _ message: [UInt8] = [], timeoutMs: UInt32 = 0,
    deadlineAt: UInt64 = 0, metadata: Metadata = Metadata()
  ) -> [UInt8] {
    let arena = Arena()
    var body = ByteBuffer()
    message.withUnsafeBytes { body.append($0) }
    var wire = ByteBuffer()
    RequestEnvelope.append(
      callID: id, method: method, timeoutMs: timeoutMs, deadlineAt: deadlineAt,
      metadata: metadata, message: body, to: &wire, arena: arena)
    return Array(wire.readable)
  }
}
