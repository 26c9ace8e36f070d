import Loop
import Wire

/// The server's end of one connection: frames in, calls out to their handlers, replies back in the
/// order in which they come.  Lives on the loop's queue.
final class Connection: ByteChannel.Owner {
  private let channel: ByteChannel
  private unowned let server: Server
  private var inFlight = 0
  private var draining = false

  init(_ channel: ByteChannel, server: Server) {
    self.channel = channel
    self.server = server
    channel.owner = self
  }

  // MARK: in

  func received(_ payload: UnsafeRawBufferPointer) throws(FrameError) {
    let arena = server.requestArena
    arena.reset()
    let request = try RequestEnvelope(payload, arena: arena)
    inFlight += 1
    if let refusal = refusal() { return fail(request.callID, refusal) }
    guard let handler = server.methods.handler(for: request.method) else {
      return fail(
        request.callID,
        Status(
          .unimplemented, reason: "UNKNOWN_METHOD",
          message: "This server has no such method; WIRE.md lists those that exist."))
    }
    let timeoutMs =
      request.timeoutMs == 0
      ? RPCLimits.timeoutMsDefault : min(request.timeoutMs, RPCLimits.timeoutMsMax)
    let call = Call(
      message: request.message, arena: arena,
      deadline: server.loop.now + UInt64(timeoutMs) * 1_000_000, id: request.callID,
      connection: self)
    do {
      try handler(call)
    } catch {
      call.fail(error)
    }
  }

  private func refusal() -> Status? {
    if draining {
      return Status(
        .unavailable, reason: "SHUTTING_DOWN", message: "This server is shutting down.",
        retryable: true)
    }
    if inFlight > RPCLimits.callsInFlightMax {
      return Status(
        .resourceExhausted, reason: "TOO_MANY_CALLS",
        message: "A connection may have \(RPCLimits.callsInFlightMax) calls in flight.",
        retryable: true, retryAfterMs: 10)
    }
    return nil
  }

  // MARK: out

  func reply(to callID: UInt64, _ message: some ReplyMessage) {
    guard answered() else { return }
    let arena = server.replyArena
    message.encode(into: &server.replyMessage, arena: arena)
    ResponseEnvelope.append(callID: callID, message: server.replyMessage, to: &channel.output)
    server.replyMessage.consume(server.replyMessage.count)
    arena.reset()
    sent()
  }

  func fail(_ callID: UInt64, _ status: Status) {
    guard answered() else { return }
    ResponseEnvelope.append(
      callID: callID, status: status, to: &channel.output, arena: server.replyArena)
    server.replyArena.reset()
    sent()
  }

  /// - Returns: whether anybody is there to read the answer.
  private func answered() -> Bool {
    precondition(inFlight > 0, "a call was answered twice")
    inFlight -= 1
    return !channel.isClosed
  }

  private func sent() {
    if channel.output.count > RPCLimits.unreadReplyBytesMax {
      return channel.close(
        "the peer does not read: \(channel.output.count) bytes of replies are waiting")
    }
    channel.flush()
    if draining && inFlight == 0 { channel.finish() }
  }

  // MARK: the end

  /// Answers what is in flight, refuses what comes, then closes.
  func drain() {
    draining = true
    if inFlight == 0 { channel.finish() }
  }

  func close() { channel.close(nil) }

  func closed(_ reason: String?) { server.closed(self, reason) }
}
