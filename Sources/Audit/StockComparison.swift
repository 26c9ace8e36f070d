import HotPath
import Inventory
import Ledger

/// The figures of one SKU in both stores, as of one entry of the stream.  No store and no clock here.
struct StockComparison {
  let stock: StoreView.StockSnapshot
  /// What the movements up to that entry add up to; nil: there are none.
  let books: Correction.Deltas?
  /// The open dead letters that are about this SKU.
  let letters: [OpenLetter]

  /// What Redis has more than the books; nil: Redis does not know the SKU.
  var excess: Correction.Deltas? {
    stock.figures.map { Correction.Deltas($0) - (books ?? .none) }
  }

  /// Every difference, by name.
  var differences: [Difference] {
    var found: [Difference] = []
    if let books, !books.balance {
      found.append(difference(.booksUnbalanced, "the movements add up to \(books.text)"))
    }
    guard let figures = stock.figures else {
      if let books {
        found.append(
          difference(.counterDrift, "Redis does not know it; the books have \(books.text)"))
      }
      return found
    }
    if !figures.balance {
      found.append(difference(.stockUnbalanced, "Redis has \(Correction.Deltas(figures).text)"))
    }
    if stock.shown != "\(figures.available)" {
      found.append(
        difference(
          .stockShown,
          "stock:\(stock.sku) shows \(stock.shown?.prefix(32) ?? "nothing"), "
            + "and \(figures.available) are available"))
    }
    if let excess, excess != .none {
      var drift = difference(
        .counterDrift,
        "Redis has \(Correction.Deltas(figures).text); the books \((books ?? .none).text)")
      let explained = letters.reduce(Correction.Deltas.none) { $0 + $1.deltas }
      if excess == explained { drift.letters = letters.map(\.id) }
      found.append(drift)
    }
    return found
  }

  private func difference(_ kind: Difference.Kind, _ found: String) -> Difference {
    Difference(kind, sku: stock.sku.text, found)
  }
}

/// Which store says how many units there are.
enum StockJudge: String {
  case redis = "Redis"
  case books = "the books"

  /// - Parameters:
  ///   - excess: what Redis has more than the books, when all holds have been put right.
  ///   - corrected: the version of the last correction in the books; 0: none.
  ///   - changesSince: how many changes of stock the books have after it.
  init(
    of figures: Figures, excess: Correction.Deltas, corrected: Int64, changesSince: Int64
  ) {
    if !figures.balance {
      // No script leaves such figures: a hand was at work.
      self = .books
    } else if changesSince != Int64(figures.version) - corrected {
      // A change of stock never reached the books, or something got in there without an event.
      self = .redis
    } else if excess.sold != 0 {
      // Whoever says that more was sold: a unit that somebody has paid for is never sold again.
      self = excess.sold > 0 ? .redis : .books
    } else {
      // The books have the cause of every unit, and Redis only a number.
      self = .books
    }
  }
}

extension Correction.Deltas {
  /// Figures as the sum of all that came before.
  init(_ figures: Figures) {
    self.init(
      available: Int64(figures.available), held: Int64(figures.held), sold: Int64(figures.sold),
      supplied: Int64(figures.supplied))
  }
}
