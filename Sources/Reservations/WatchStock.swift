import HotPath
import Inventory
import RPC
import Wire

extension Sale {
  /// Sends the figures of some SKUs, and again whenever they have changed.
  func watchStock(_ call: Call, _ stream: ResponseStream) throws(Status) {
    let wanted = try decoder.watchStock(call.message, arena: call.arena)
    let watch = StockWatch(wanted, on: stream, board: board)
    // The stream's closures keep the watch alive; it ends with the stream.
    stream.onRoom = { watch.send() }
    stream.onCancel = { [board] in board.remove(watch, of: wanted.skus) }
    board.add(watch, of: wanted.skus)
  }
}

/// One stream of `Stock/Watch`.  What its reader has not taken is a set of SKUs, not of figures.
/// Lives on the loop's queue.
private final class StockWatch: StockWatcher {
  private let wanted: WatchStock
  private weak var stream: ResponseStream?
  private let board: StockBoard
  /// The state of each SKU that the reader has.
  private var sent: [SKU: UInt64] = [:]
  private var digest = StockDigest()
  /// SKUs that were read and not sent, in the order in which they became so.
  private var waiting: [SKU] = []
  private var isWaiting: Set<SKU> = []
  /// The reader says that it knows something: nothing is sent until every SKU was read once.
  private var resumesFrom: StockDigest?

  init(_ wanted: WatchStock, on stream: ResponseStream, board: StockBoard) {
    (self.wanted, self.stream, self.board) = (wanted, stream, board)
    resumesFrom = wanted.after
  }

  func wasRead(_ sku: SKU) {
    if isWaiting.insert(sku).inserted { waiting.append(sku) }
    send()
  }

  func send() {
    if resumesFrom != nil, isWaiting.count == wanted.skus.count { compare() }
    guard resumesFrom == nil, let stream else { return }
    var next = 0
    while next < waiting.count, stream.hasRoom() {
      let sku = waiting[next]
      next += 1
      isWaiting.remove(sku)
      send(sku, on: stream)
    }
    waiting.removeFirst(next)
  }

  /// All is read: whether the reader has it already.
  private func compare() {
    var (now, states) = (StockDigest(), [SKU: UInt64]())
    for sku in wanted.skus {
      guard let state = board.level(of: sku).map({ State(sku, $0) }) else { continue }
      states[sku] = state.fingerprint
      now.learn(state.fingerprint)
    }
    if now == resumesFrom { (sent, digest) = (states, now) }
    resumesFrom = nil
  }

  private func send(_ sku: SKU, on stream: ResponseStream) {
    guard let state = board.level(of: sku).map({ State(sku, $0) }),
      sent[sku] != state.fingerprint
    else { return }
    if let before = sent.updateValue(state.fingerprint, forKey: sku) { digest.forget(before) }
    digest.learn(state.fingerprint)
    stream.send(
      StockUpdate(
        outcome: state.outcome, stock: StockLevel(sku: sku.text, figures: state.figures),
        isClosed: state.isClosed, token: "\(digest)"))
  }

  /// A SKU as its reader is told.
  private struct State {
    let outcome: Outcome
    let figures: Figures
    let isClosed: Bool
    let fingerprint: UInt64

    init(_ sku: SKU, _ level: StockBoard.Level) {
      switch level {
      case .unknown: (outcome, figures, isClosed) = (.unknownSKU, .none, false)
      case .known(let figures, let isClosed):
        (outcome, self.figures, self.isClosed) = (.found, figures, isClosed)
      }
      fingerprint = StockDigest.fingerprint(sku, outcome, figures, isClosed: isClosed)
    }
  }
}
