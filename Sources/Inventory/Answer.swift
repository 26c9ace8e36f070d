/// What the store decided.  The numbers are those that the script returns; up to 63 they are also
/// those of `stock.v1.Outcome`, from 64 on they are refusals and become a status other than OK.
public enum Outcome: UInt8, Sendable, CaseIterable {
  case held = 1
  case repeated = 2
  case soldOut = 3
  case unknownSKU = 4
  case confirmed = 5
  case cancelled = 6
  case expired = 7
  case noSuchHold = 8
  case found = 9
  case stockSet = 10
  case stockAdopted = 11
  case alreadyConfirmed = 12
  case alreadyCancelled = 13
  case stockAdjusted = 14
  /// An adjustment would take off more units than are available.
  case tooFewAvailable = 15
  /// Not so many units are available as the caller expected.
  case availableDiffers = 16
  case stockRetired = 17
  /// The SKU is retired: nothing new begins.
  case notForSale = 18
  case extended = 19
  /// The hold has had `Limits.holdExtensionsMax` extensions.
  case extendedTooOften = 20

  /// The idempotency key belongs to another request.
  case keyReused = 64
  /// The hold was confirmed with another payment reference.
  case paymentRefMismatch = 65
  /// `stock:<sku>` is not the figure that the service wrote there; the SKU is closed.
  case stockMismatch = 66
  /// The store is near its memory limit: what is promised can finish, nothing new begins.
  case storeFull = 67
  /// The request id belongs to another request.
  case requestIDReused = 68
  /// The units supplied would pass `Limits.stockUnitsMax`.
  case tooManyUnits = 69
  /// `.expire` of a hold that has neither reached its deadline nor the end of its retention.
  case notDue = 70
  /// `.expire` of an ended hold at the end of its retention: Redis has forgotten it.
  case forgotten = 71
  /// The hold's record is not one that this version wrote.
  case holdUnreadable = 72
  /// Too many events wait for the books: what is promised can finish, nothing new begins.
  case backlog = 73
  /// `.expire` of an ended hold that is in the books: Redis remembers it in short from now on.
  case settled = 74
}

/// The answer to one operation.
///
/// It goes through many hands, so all but its head is one reference.
public struct Answer: Hashable, Sendable {
  /// What was decided.
  public var outcome: Outcome
  /// Units available of the SKU after the operation, where the store looked; for `.listStock`, how many
  /// names it found.
  public var available: UInt64
  /// The store's time when it decided, in milliseconds since 1970.
  public var now: UInt64 = 0
  private let found: Found

  private enum Found: Hashable {
    case nothing
    case made(Reservation)
    indirect case hold(Hold)
    indirect case ended(EndedHold)
    indirect case figures(Figures, shown: String?)
    indirect case skus([SKU])
  }

  private init(_ outcome: Outcome, _ available: UInt64, _ found: Found) {
    (self.outcome, self.available, self.found) = (outcome, available, found)
  }

  /// An answer about no hold, or about one that was there.
  public init(_ outcome: Outcome, available: UInt64 = 0, hold: Hold? = nil) {
    self.init(outcome, available, hold.map { .hold($0) } ?? .nothing)
  }

  /// An answer about a hold that is remembered in short.
  public init(_ outcome: Outcome, available: UInt64 = 0, ended: EndedHold) {
    self.init(outcome, available, .ended(ended))
  }

  /// A hold was made.
  public init(made reservation: Reservation, available: UInt64) {
    self.init(.held, available, .made(reservation))
  }

  /// An answer about the stock of a SKU.
  /// - Parameter shown: with `.stockMismatch`: what `stock:<sku>` really holds.
  public init(_ outcome: Outcome, figures: Figures, shown: String? = nil) {
    self.init(outcome, figures.available, .figures(figures, shown: shown))
  }

  /// A page of SKUs.
  /// - Parameter names: how many the store found.
  public init(_ outcome: Outcome, skus: [SKU], names: UInt64) {
    self.init(outcome, names, .skus(skus))
  }

  /// The hold after the operation, where one was found or made and all of it is known.
  public var hold: Hold? {
    switch found {
    case .made(let reservation): Hold(of: reservation, from: now)
    case .hold(let hold): hold
    default: nil
    }
  }

  /// What is left of the hold that was found, where that is all.
  public var ended: EndedHold? {
    if case .ended(let ended) = found { ended } else { nil }
  }

  /// The figures after the operation, for the operations on stock.
  public var figures: Figures? {
    if case .figures(let figures, _) = found { figures } else { nil }
  }

  /// With `.stockMismatch`: what `stock:<sku>` really holds.
  public var shown: String? {
    if case .figures(_, let shown) = found { shown } else { nil }
  }

  /// The SKUs of a page, for `.listStock`.
  public var skus: [SKU] {
    if case .skus(let skus) = found { skus } else { [] }
  }
}
