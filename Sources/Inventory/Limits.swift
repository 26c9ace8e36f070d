/// Every limit of the domain, with its unit in its name.
public enum Limits {
  /// Length of a SKU.
  public static let skuBytesMax = 128
  /// Length of a user id, an idempotency key, a payment reference, a request id, an actor or a reason.
  public static let textBytesMax = 128
  /// Units in one hold.
  public static let holdUnitsMax: UInt64 = 1_000_000
  /// SKUs of a page of `Stock.List`.
  public static let stockPageMax = 200
  /// SKUs of a page of `Stock.List` whose caller does not say.
  public static let stockPageDefault = 100
  /// Units supplied of one SKU, in all.  Lua's numbers are exact to 2^53; this leaves room.
  public static let stockUnitsMax: UInt64 = 1_000_000_000_000
  /// Shortest life of a hold that a caller may ask for.
  public static let holdMsMin: UInt64 = 1_000
  /// Longest life of a hold: seven days.
  public static let holdMsMax: UInt64 = 604_800_000
  /// How long after its creation an extension may put a hold's deadline: seven days, as long as a hold
  /// may ask for at once.
  public static let holdLifeMsMax: UInt64 = holdMsMax
  /// How often a hold may be extended.
  public static let holdExtensionsMax: UInt64 = 10
  /// Life of a hold whose caller names none.
  public static let holdMsDefault: UInt64 = 300_000
  /// How long Redis may be set to remember what has ended, in milliseconds: a minute to ninety days.
  public static let retentionMs: ClosedRange<UInt64> = 60_000...(90 * 86_400_000)
  /// How long Redis remembers a confirmed hold, in milliseconds: 24 hours.
  public static let retentionMsDefault: UInt64 = 86_400_000
  /// How long Redis remembers a hold that gave its units back, in milliseconds: one hour.
  public static let retentionReleasedMsDefault: UInt64 = 3_600_000
  /// How long Redis remembers what has ended however short its memory is, in milliseconds: 5 minutes.
  public static let retentionFloorMsDefault: UInt64 = 300_000
  /// How long all of an ended hold is kept, in milliseconds: one minute.
  public static let settleMsDefault: UInt64 = 60_000
  /// The use of memory between whose bounds what gave its units back is remembered for less and less
  /// time; 1: no more holds can begin.
  public static let releasedShorteningUse: ClosedRange<Double> = 0.7...0.8
  /// The same of confirmed holds.
  public static let confirmedShorteningUse: ClosedRange<Double> = 0.8...0.95
}
