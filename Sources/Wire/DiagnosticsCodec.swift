import CStockProto

extension StateRequest {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__StateRequest()
    stock__v1__state_request__init(&message)
    message.connections_max = UInt32(clamping: connectionsMax)
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) {
    guard let message = arena.unpack(bytes, stock__v1__state_request__unpack) else {
      throw .malformedMessage
    }
    let asked = Int(message.pointee.connections_max)
    connectionsMax = asked == 0 ? Self.connectionsMax : min(asked, Self.connectionsMax)
  }
}

extension StateReply {
  /// Settings and shards of a reply that is read here.
  private static let fieldsMax = 1_024

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__StateReply()
    stock__v1__state_reply__init(&message)
    message.process = arena.place(process.message(arena))
    message.n_settings = settings.count
    message.settings = arena.pointers(settings) { $0.message(arena) }
    message.n_shards = shards.count
    message.shards = arena.pointers(shards) { $0.message(arena) }
    message.shards_silent = UInt32(clamping: shardsSilent)
    message.worker = worker.map { arena.place($0.message(arena)) }
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard
      let message = arena.unpack(
        bytes, fieldsMax: Self.fieldsMax, stock__v1__state_reply__unpack)
    else { throw MessageError() }
    let found = message.pointee
    if let process = found.process?.pointee { self.process = ProcessState(process) }
    settings = values(found.n_settings, found.settings) { SettingState($0) }
    shards = values(found.n_shards, found.shards) { ShardState($0) }
    shardsSilent = Int(found.shards_silent)
    worker = found.worker.map { WorkerState($0.pointee) }
  }
}

extension Arena {
  /// A repeated field of messages.
  func pointers<Value, Message>(
    _ values: [Value], _ message: (Value) -> Message
  ) -> UnsafeMutablePointer<UnsafeMutablePointer<Message>?>? {
    list(values.map { value -> UnsafeMutablePointer<Message>? in place(message(value)) })
  }
}

/// The values of a repeated field of messages.
func values<Value, Message>(
  _ count: Int, _ list: UnsafeMutablePointer<UnsafeMutablePointer<Message>?>?,
  _ value: (Message) -> Value
) -> [Value] {
  (0..<count).compactMap { place in list?[place].map { value($0.pointee) } }
}

extension ProcessState {
  fileprivate func message(_ arena: Arena) -> Stock__V1__ProcessState {
    var message = Stock__V1__ProcessState()
    stock__v1__process_state__init(&message)
    message.program = arena.bytes(program)
    message.version = arena.bytes(version)
    message.pid = pid
    message.uptime_ms = uptimeMs
    message.rss_bytes = rssBytes
    return message
  }

  fileprivate init(_ message: Stock__V1__ProcessState) {
    program = message.program.text
    version = message.version.text
    pid = message.pid
    uptimeMs = message.uptime_ms
    rssBytes = message.rss_bytes
  }
}

extension SettingState {
  fileprivate func message(_ arena: Arena) -> Stock__V1__SettingState {
    var message = Stock__V1__SettingState()
    stock__v1__setting_state__init(&message)
    message.name = arena.bytes(name)
    message.value = arena.bytes(value)
    message.origin = arena.bytes(origin)
    return message
  }

  fileprivate init(_ message: Stock__V1__SettingState) {
    self.init(name: message.name.text, value: message.value.text, origin: message.origin.text)
  }
}

extension ShardState {
  fileprivate func message(_ arena: Arena) -> Stock__V1__ShardState {
    var message = Stock__V1__ShardState()
    stock__v1__shard_state__init(&message)
    message.number = number
    message.writer = arena.bytes(writer)
    message.connections_open = connectionsOpen
    message.connections_made = connectionsMade
    message.connection_bytes = connectionBytes
    message.connections_shed = connectionsShed
    message.n_connections = connections.count
    message.connections = arena.pointers(connections) { $0.message(arena) }
    message.n_methods = methods.count
    message.methods = arena.pointers(methods) { $0.message(arena) }
    message.batch = arena.place(batch.message)
    message.redis = arena.place(redis.message(arena))
    return message
  }

  fileprivate init(_ message: Stock__V1__ShardState) {
    number = message.number
    writer = message.writer.text
    connectionsOpen = message.connections_open
    connectionsMade = message.connections_made
    connectionBytes = message.connection_bytes
    connectionsShed = message.connections_shed
    connections = values(message.n_connections, message.connections) { ConnectionState($0) }
    methods = values(message.n_methods, message.methods) { MethodState($0) }
    if let batch = message.batch?.pointee { self.batch = BatchState(batch) }
    if let redis = message.redis?.pointee { self.redis = RedisState(redis) }
  }
}

extension ConnectionState {
  fileprivate func message(_ arena: Arena) -> Stock__V1__ConnectionState {
    var message = Stock__V1__ConnectionState()
    stock__v1__connection_state__init(&message)
    message.number = number
    message.peer = arena.bytes(peer)
    message.client = arena.bytes(client)
    message.age_ms = ageMs
    message.calls_in_flight = callsInFlight
    message.streams = streams
    message.calls_made = callsMade
    message.bytes_in = bytesIn
    message.bytes_out = bytesOut
    message.held_bytes = heldBytes
    return message
  }

  fileprivate init(_ message: Stock__V1__ConnectionState) {
    number = message.number
    peer = message.peer.text
    client = message.client.text
    ageMs = message.age_ms
    callsInFlight = message.calls_in_flight
    streams = message.streams
    callsMade = message.calls_made
    bytesIn = message.bytes_in
    bytesOut = message.bytes_out
    heldBytes = message.held_bytes
  }
}

extension MethodState {
  fileprivate func message(_ arena: Arena) -> Stock__V1__MethodState {
    var message = Stock__V1__MethodState()
    stock__v1__method_state__init(&message)
    message.method = arena.bytes(method)
    message.calls = calls
    message.n_failures = failures.count
    message.failures = arena.pointers(failures) { $0.message }
    message.p50_ns = p50Ns
    message.p99_ns = p99Ns
    message.max_ns = maxNs
    return message
  }

  fileprivate init(_ message: Stock__V1__MethodState) {
    method = message.method.text
    calls = message.calls
    failures = values(message.n_failures, message.failures) { FailureCount($0) }
    p50Ns = message.p50_ns
    p99Ns = message.p99_ns
    maxNs = message.max_ns
  }
}

extension FailureCount {
  fileprivate var message: Stock__V1__FailureCount {
    var message = Stock__V1__FailureCount()
    stock__v1__failure_count__init(&message)
    message.code = Stock__V1__Code(rawValue: numericCast(code.rawValue))
    message.count = count
    return message
  }

  fileprivate init(_ message: Stock__V1__FailureCount) {
    code = Code(rawValue: UInt32(message.code.rawValue)) ?? .unknown
    count = message.count
  }
}

extension BatchState {
  fileprivate var message: Stock__V1__BatchState {
    var message = Stock__V1__BatchState()
    stock__v1__batch_state__init(&message)
    message.waiting = waiting
    message.in_flight = inFlight
    message.scripts = scripts
    message.operations = operations
    message.script_ns = scriptNs
    return message
  }

  fileprivate init(_ message: Stock__V1__BatchState) {
    waiting = message.waiting
    inFlight = message.in_flight
    scripts = message.scripts
    operations = message.operations
    scriptNs = message.script_ns
  }
}

extension RedisState {
  fileprivate func message(_ arena: Arena) -> Stock__V1__RedisState {
    var message = Stock__V1__RedisState()
    stock__v1__redis_state__init(&message)
    message.open = open ? 1 : 0
    message.down_reason = arena.bytes(downReason)
    message.n_warnings = warnings.count
    message.warnings = arena.list(warnings.map { arena.bytes($0) })
    message.holds_refused = arena.bytes(holdsRefused)
    return message
  }

  fileprivate init(_ message: Stock__V1__RedisState) {
    open = message.open != 0
    downReason = message.down_reason.text
    warnings = (0..<message.n_warnings).map { message.warnings[$0].text }
    holdsRefused = message.holds_refused.text
  }
}
