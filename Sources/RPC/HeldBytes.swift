import Loop
import Wire

/// What a shard keeps for its peers, in bytes: frames that have begun, the requests of calls in flight,
/// and replies that have not been read.  Each connection has limits of its own; together they could
/// still take all memory, so there is a limit for all.
///
/// How it works.  When the sum passes the limit, the connections that hold most are closed, of equals
/// the newest, until an eighth of it is free again: one look at all connections for many closed ones,
/// and whoever holds little is never touched.  That happens at the end of the pass, not in the middle
/// of what some connection is doing.  Lives on the loop's queue.
final class HeldBytes: EndOfPass {
  private unowned let server: Server
  private(set) var total = 0
  /// Connections that were closed for what they held.
  private(set) var closed: UInt64 = 0
  private var isPutOff = false

  init(of server: Server) { self.server = server }

  private var max: Int { server.terms.connectionBytesMax }

  /// A connection holds so much more, or less.
  func changed(by bytes: Int) {
    total += bytes
    guard total > max, !isPutOff else { return }
    isPutOff = true
    server.loop.putOff(self)
  }

  func endOfPass() {
    isPutOff = false
    guard total > max else { return }
    let (held, before) = (total, closed)
    let largest = server.connections.values.map { (bytes: $0.heldBytes, number: $0.number) }
      .sorted { ($0.bytes, $0.number) > ($1.bytes, $1.number) }
    for (bytes, number) in largest where total > max - max / 8 {
      closed += 1
      server.connections[number]?.close(holding: bytes)
    }
    server.logger.warning(
      "memory for connections is used up: those that held most are closed",
      metadata: [
        "held_bytes": "\(held)", "limit_bytes": "\(max)", "closed": "\(closed - before)",
      ])
  }
}
