public import Inventory
import Wire

/// A compensating entry for one hold.
public struct HoldCorrection: Hashable, Sendable {
  /// The complete state that holds from now on, with its new version; its last change is when Redis
  /// writes it.
  public var hold: Hold
  /// The version of the record that was looked at; 0: Redis did not know this generation.
  public var expected: UInt64
  /// Who, why, and what the books add.
  public var correction: Correction

  /// A correction from its parts.
  public init(hold: Hold, expected: UInt64, correction: Correction) {
    (self.hold, self.expected, self.correction) = (hold, expected, correction)
  }
}

/// A compensating entry for the figures of one SKU.
public struct StockCorrection: Hashable, Sendable {
  /// Which.
  public var sku: SKU
  /// The version of the figures that were looked at.
  public var expected: UInt64
  /// What Redis adds to its figures.
  public var store: Correction.Deltas
  /// Who, why, and what the books add.
  public var correction: Correction

  /// A correction from its parts.
  public init(
    sku: SKU, expected: UInt64, store: Correction.Deltas, correction: Correction
  ) {
    (self.sku, self.expected, self.store, self.correction) = (sku, expected, store, correction)
  }
}

extension StoreView {
  /// Who writes corrections, in the `source` of their entries.
  private static let source = "0/audit/0"

  /// Writes the event of a correction and, in the same step, the version of the hold's record.
  /// - Returns: the event's entry; nil: the hold has changed since it was looked at, and nothing was
  ///   written.
  public func write(_ entry: HoldCorrection) throws(StreamFault) -> StreamID? {
    let hold = entry.hold
    var before = ByteBuffer()
    var after = ByteBuffer()
    defer { arena.reset() }
    Reservation.of(
      hold: hold.id.key, sku: hold.sku, qty: hold.qty, user: hold.user, key: hold.key, ttlMs: 0,
      requestedTTLMs: 0, trace: hold.trace
    ).appendEvent(to: &before)
    if let reference = hold.paymentRef {
      appendHoldEvent(paymentRef: reference, to: &after, arena: arena)
    }
    entry.correction.append(to: &after, arena: arena)
    return try run(
      PackageResources.correct_hold_lua,
      [
        keys.events, keys.fence, keys.hold(hold.id.key),
        keys.correction(hold.id, version: hold.version),
      ],
      [
        Self.source, "\(hold.id.generation)", "\(entry.expected)", "\(hold.status.rawValue)",
        "\(hold.version)", "\(hold.expiresAt)",
      ], before, after)
  }

  /// Writes the event of a correction and, in the same step, the figures of the SKU.
  /// - Returns: the event's entry; nil: the SKU has changed since it was looked at, and nothing was
  ///   written.
  public func write(_ entry: StockCorrection) throws(StreamFault) -> StreamID? {
    var before = ByteBuffer()
    var after = ByteBuffer()
    defer { arena.reset() }
    appendStockEvent(correcting: entry.sku, to: &before, arena: arena)
    entry.correction.append(to: &after, arena: arena)
    let store = entry.store
    return try run(
      PackageResources.correct_stock_lua,
      [keys.events, keys.fence, keys.stock(entry.sku), keys.figures(entry.sku)],
      [
        Self.source, "\(entry.expected)", "\(store.available)", "\(store.held)", "\(store.sold)",
        "\(store.supplied)",
      ], before, after)
  }

  private func run(
    _ script: [UInt8], _ keys: [String], _ arguments: [String], _ before: borrowing ByteBuffer,
    _ after: borrowing ByteBuffer
  ) throws(StreamFault) -> StreamID? {
    var command = ByteBuffer(capacity: 4096)
    command.begin(command: 3 + keys.count + arguments.count + 2)
    command.append(argument: "EVAL")
    script.withUnsafeBytes { command.append(argument: $0) }
    command.append(argument: "\(keys.count)")
    for argument in keys + arguments { command.append(argument: argument) }
    command.append(argument: before.readable)
    command.append(argument: after.readable)
    return try session.call(command) { $0.text.flatMap { StreamID($0) } }
  }
}
