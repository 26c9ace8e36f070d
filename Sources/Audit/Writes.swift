import HotPath

/// Whether anybody has written into the stores, the service or a hand, so that there is something to look at.
///
/// How it works.  Both stores count what is written into them.  Where their counts stand still, what has
/// been compared is as it was.  After each change the holds that have moved of late are passed once, from
/// their first on, and all movements added up anew once; a change meanwhile asks for it once more.  What was
/// written before the first look is the first lap's, which passes everything.
struct Writes {
  private var marks: (store: RecordWrites, books: String?)?
  /// How many changes were seen.
  private var seen = 0
  /// How many of them had been seen when the pass at hand began, and the last one that has ended.
  private var pass = (begun: 0, ended: 0)
  /// The round of sums from which on all of them are as they should be.
  private(set) var sumsFrom = 0
  /// Whether the books have changed since the round before, as far as PostgreSQL counts.
  private(set) var haveBooksChanged = true

  /// Looks, once for each round.
  /// - Parameter round: the round of sums that begins.
  mutating func look(_ stores: Stores, round: Int) throws {
    let now = (store: try stores.store.writes(), books: try stores.books.writes())
    haveBooksChanged = now.books == nil || now.books != marks?.books
    if haveBooksChanged { sumsFrom = round }
    if let marks, haveBooksChanged || now.store != marks.store { seen += 1 }
    marks = now
  }

  /// Whether the holds that have moved of late are to be passed.
  var wantPass: Bool { pass.ended < seen }

  /// A pass begins.
  mutating func passBegins() { pass.begun = seen }

  /// It has come to its end.
  mutating func passEnds() { pass.ended = pass.begun }
}
