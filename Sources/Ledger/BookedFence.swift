/// Which life of which deployment the books are of.
public struct BookedEpoch: Equatable, Sendable {
  /// Sixteen hexadecimal digits, drawn by lot when the books were made.
  public let deployment: String
  /// Rises by one with every rebuild of Redis.
  public let number: Int64
  /// A rebuild of Redis has begun in this epoch and has not ended.
  public let isRebuilding: Bool

  /// An epoch from its parts.
  public init(deployment: String, number: Int64, isRebuilding: Bool = false) {
    (self.deployment, self.number, self.isRebuilding) = (deployment, number, isRebuilding)
  }
}

extension Postgres {
  /// Which life of which deployment these books are of; nil: no Redis was ever opened with them.
  public func bookedEpoch() throws(PostgresError) -> BookedEpoch? {
    let rows = try run(
      Statement("booked_epoch", "SELECT deployment, epoch, rebuilding::integer FROM fence"))
    guard rows.count > 0 else { return nil }
    return BookedEpoch(
      deployment: rows.text(0, 0), number: rows.integer(0, 1),
      isRebuilding: rows.integer(0, 2) == Int32(1))
  }

  /// Gives the books the name of a deployment, unless they have one.
  public func name(_ epoch: BookedEpoch) throws(PostgresError) {
    let (deployment, number) = (Column(.text), Column(.bigint))
    deployment.add(epoch.deployment)
    number.add(epoch.number)
    _ = try run(
      Statement(
        "name_deployment",
        """
        INSERT INTO fence (deployment, epoch) VALUES (($1::text[])[1], ($2::bigint[])[1])
        ON CONFLICT DO NOTHING
        """), [deployment, number])
  }

  /// Begins a new epoch: every Redis of an earlier one is refused from now on, and none is opened
  /// until `endRebuild`.
  /// - Returns: the number of the epoch.
  public func beginRebuild() throws(PostgresError) -> Int64 {
    try run(
      Statement(
        "begin_rebuild", "UPDATE fence SET epoch = epoch + 1, rebuilding = true RETURNING epoch")
    ).integer(0, 0)
  }

  /// The Redis of this epoch is complete.
  public func endRebuild() throws(PostgresError) {
    _ = try run(Statement("end_rebuild", "UPDATE fence SET rebuilding = false"))
  }

  /// The id of the newest stream entry of which the books know an event; nil: they know none.
  ///
  /// Movements lie about in the stream's order, and their index by ranges of blocks
  /// (`stock_movements_stream`) serves a recent lower bound at once; nothing recent means a longer way
  /// back.
  /// - Parameter nowMs: milliseconds since 1970, about.
  public func newestStreamID(
    nowMs: UInt64
  ) throws(PostgresError) -> (ms: UInt64, sequence: UInt64)? {
    let column = Column(.bigint)
    for backMs: UInt64 in [60_000, 3_600_000, 86_400_000, .max] {
      column.removeAll()
      column.add(Int64(nowMs - min(nowMs, backMs)))
      let rows = try run(
        Statement(
          "newest_stream_id",
          """
          SELECT stream_ms, stream_seq FROM stock_movements WHERE stream_ms >= ($1::bigint[])[1]
          ORDER BY stream_ms DESC, stream_seq DESC LIMIT 1
          """), [column])
      if rows.count > 0 {
        let (ms, sequence): (Int64, Int64) = (rows.integer(0, 0), rows.integer(0, 1))
        return (UInt64(ms), UInt64(sequence))
      }
    }
    return nil
  }
}
