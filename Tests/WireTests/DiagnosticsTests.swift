import Testing
import Wire

/// The live state on its way.
@Suite("Live state")
struct DiagnosticsTests {
  @Test("a state with every field set is read as it was written")
  func roundTrip() throws {
    var state = StateReply()
    (state.process.version, state.process.pid) = ("1.2.3", 4)
    (state.process.uptimeMs, state.process.rssBytes) = (5, 6)
    state.settings = [
      SettingState(name: "shards", value: "2", origin: "default"),
      SettingState(name: "listen", value: "é", origin: "flag --listen"),
    ]
    state.shards = [shard(0), shard(1)]
    state.shardsSilent = 7
    #expect(try read(state) == state)
    #expect(try read(StateReply()) == StateReply())
  }

  @Test(
    "a request asks for as many connections as fit into a reply", arguments: [0, 1, 1_000, 1_001])
  func request(asked: Int) throws {
    var buffer = ByteBuffer()
    let arena = Arena()
    StateRequest(connectionsMax: asked).encode(into: &buffer, arena: arena)
    let request = try StateRequest(buffer.readable, arena: arena)
    #expect(request.connectionsMax == (asked == 0 ? 1_000 : min(asked, 1_000)))
  }

  @Test("a reply with all that it may list fits into half a frame")
  func largest() {
    var connection = ConnectionState()
    connection.peer = String(repeating: "f", count: 39)
    connection.client = String(repeating: "x", count: HelloRequest.clientBytesMax)
    (connection.number, connection.ageMs, connection.callsMade) = (.max, .max, .max)
    (connection.bytesIn, connection.bytesOut, connection.streams) = (.max, .max, .max)
    (connection.callsInFlight, connection.heldBytes) = (.max, .max)
    var state = StateReply()
    state.shards = (0..<64).map { shard($0) }
    let each = StateRequest.connectionsMax / 64
    for place in state.shards.indices {
      state.shards[place].connections = Array(repeating: connection, count: each)
      state.shards[place].methods = Array(repeating: state.shards[place].methods[0], count: 30)
    }
    var buffer = ByteBuffer()
    state.encode(into: &buffer, arena: Arena())
    #expect(buffer.count < Frame.payloadBytesMax / 2)
  }

  private func read(_ state: StateReply) throws -> StateReply {
    var buffer = ByteBuffer()
    let arena = Arena()
    state.encode(into: &buffer, arena: arena)
    return try StateReply(buffer.readable, arena: arena)
  }

  private func shard(_ number: UInt32) -> ShardState {
    var shard = ShardState()
    (shard.number, shard.writer) = (number, "abc.\(number)")
    (shard.connectionsOpen, shard.connectionsMade) = (1, 2)
    (shard.connectionBytes, shard.connectionsShed) = (11, 12)
    var connection = ConnectionState()
    (connection.number, connection.peer, connection.client) = (3, "uid 0", "shop/1")
    (connection.ageMs, connection.callsInFlight, connection.streams) = (4, 5, 6)
    (connection.callsMade, connection.bytesIn, connection.bytesOut) = (7, 8, 9)
    connection.heldBytes = 10
    shard.connections = [connection, ConnectionState()]
    var method = MethodState()
    (method.method, method.calls) = ("s.S/M", 10)
    method.failures = [
      FailureCount(code: .internal, count: 11), FailureCount(code: .cancelled, count: 12),
    ]
    (method.p50Ns, method.p99Ns, method.maxNs) = (13, 14, 15)
    shard.methods = [method]
    (shard.batch.waiting, shard.batch.inFlight, shard.batch.scripts) = (16, 17, 18)
    (shard.batch.operations, shard.batch.scriptNs) = (19, 20)
    (shard.redis.open, shard.redis.downReason) = (true, "gone")
    (shard.redis.warnings, shard.redis.holdsRefused) = (["a", "b"], "full")
    return shard
  }
}
