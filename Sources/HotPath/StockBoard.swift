public import Inventory
public import Loop

/// Who wants to know the figures of some SKUs.
public protocol StockWatcher: AnyObject {
  /// The figures of a SKU have been read; `StockBoard` has them.  They may be the same as before.
  func wasRead(_ sku: SKU)
}

/// The figures of the SKUs that somebody watches, read again after each event about them.
///
/// How it works.  Events of holds do not carry the figures of their SKU, so the feed only says which
/// SKUs have changed; those are read through the batch, many at once, each once however many watch
/// it, and however often it has changed meanwhile.
///
/// Lives on the loop's queue.
public final class StockBoard {
  /// A SKU as it was read last.
  public enum Level: Hashable {
    /// Nobody has ever set stock for it.
    case unknown
    /// `isClosed`: the figure in Redis is not the one that the service wrote.
    case known(Figures, isClosed: Bool)
  }

  /// How long a SKU waits for others, and for its own next change, to be read together.
  static let pauseMs: UInt64 = 20
  /// The pause after a read that failed.
  static let retryMs: UInt64 = 250
  /// How long one read may take.
  static let readMsMax: UInt64 = 5_000

  private struct Watched {
    var level: Level?
    var watchers: [ObjectIdentifier: any StockWatcher] = [:]
  }

  private let feed: Feed
  private let batch: Batch
  private let loop: EventLoop
  private var watched: [SKU: Watched] = [:]
  private var stale: Set<SKU> = []
  /// A read is under way, or the pause after it.
  private var isReading = false
  private var isClosed = false

  /// A board that follows the feed while somebody watches.
  public init(on feed: Feed, through batch: Batch, loop: EventLoop) {
    (self.feed, self.batch, self.loop) = (feed, batch, loop)
  }

  /// Reads nothing more.
  public func close() { isClosed = true }

  /// A SKU as it was read last; nil: not yet.
  public func level(of sku: SKU) -> Level? { watched[sku]?.level }

  /// Reads some SKUs now, and after each change, until `remove`.
  public func add(_ watcher: any StockWatcher, of skus: [SKU]) {
    let wasAlone = watched.isEmpty
    for sku in skus {
      watched[sku, default: Watched()].watchers[ObjectIdentifier(watcher)] = watcher
    }
    if wasAlone { feed.add(self) }
    // Otherwise all are read when the feed goes live: nothing may change between.
    if feed.isLive { mark(Set(skus)) }
  }

  /// Ends that.
  public func remove(_ watcher: any StockWatcher, of skus: [SKU]) {
    guard !watched.isEmpty else { return }
    for sku in skus {
      watched[sku]?.watchers[ObjectIdentifier(watcher)] = nil
      if watched[sku]?.watchers.isEmpty == true { watched[sku] = nil }
    }
    if watched.isEmpty { feed.remove(self) }
  }

  private func mark(_ skus: Set<SKU>) {
    stale.formUnion(skus)
    read()
  }

  private func read() {
    stale = stale.filter { watched[$0] != nil }
    guard !isReading, !isClosed, !stale.isEmpty else { return }
    isReading = true
    let skus = Array(stale.prefix(Batch.skusMax))
    stale.subtract(skus)
    var missing = skus.count
    var pauseMs = Self.pauseMs
    do throws(StoreFault) {
      try batch.submit(
        all: skus.map { .getStock($0) }, deadline: monotonicNow() + Self.readMsMax * 1_000_000
      ) { [weak self] place, result in
        guard let self else { return }
        switch result {
        case .success(let answer): took(answer, of: skus[place])
        case .failure:
          stale.insert(skus[place])
          pauseMs = Self.retryMs
        }
        missing -= 1
        if missing == 0 { readAgain(afterMs: pauseMs) }
      }
    } catch {
      stale.formUnion(skus)
      readAgain(afterMs: Self.retryMs)
    }
  }

  private func readAgain(afterMs pauseMs: UInt64) {
    loop.after(ms: pauseMs) { [weak self] in
      guard let self else { return }
      isReading = false
      read()
    }
  }

  private func took(_ answer: Answer, of sku: SKU) {
    let level: Level =
      answer.outcome == .unknownSKU
      ? .unknown
      : .known(answer.figures ?? .none, isClosed: answer.outcome == .stockMismatch)
    guard watched[sku] != nil else { return }
    watched[sku]!.level = level
    for watcher in watched[sku]!.watchers.values { watcher.wasRead(sku) }
  }
}

extension StockBoard: FeedObserver {
  func changed(_ skus: Set<SKU>?) {
    guard let skus else { return mark(Set(watched.keys)) }
    mark(skus.filter { watched[$0] != nil })
  }
}
