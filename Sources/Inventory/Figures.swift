/// The figures of one SKU.  `available + held + sold = supplied` after every step.
public struct Figures: Hashable, Sendable {
  /// Units that can be reserved now.
  public var available: UInt64
  /// Units in active holds.
  public var held: UInt64
  /// Units in confirmed holds.
  public var sold: UInt64
  /// Units ever put on sale, less those taken off it.
  public var supplied: UInt64
  /// Counts the STOCK_… events.
  public var version: UInt64
  /// Whether no new holds begin.
  public var isRetired: Bool

  /// The figures of a SKU before its first stock.
  public static let none = Figures(available: 0, held: 0, sold: 0, supplied: 0, version: 0)

  /// Figures from all their parts.
  public init(
    available: UInt64, held: UInt64, sold: UInt64, supplied: UInt64, version: UInt64,
    isRetired: Bool = false
  ) {
    self.available = available
    self.held = held
    self.sold = sold
    self.supplied = supplied
    self.version = version
    self.isRetired = isRetired
  }

  /// The conservation equation.
  public var balance: Bool { available + held + sold == supplied }
}
