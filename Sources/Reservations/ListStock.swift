import HotPath
import Inventory
import RPC
import Wire

extension Sale {
  /// Reads a page of SKUs with their figures: first which, and then each by itself, so that no script
  /// is long and other connections have their turn in between.
  func listStock(_ call: Call) throws(Status) {
    let page = try decoder.listStock(call.message, arena: call.arena)
    let ticket = batch.submit(
      .listStock(after: page.after, limit: page.limit), deadline: call.deadline,
      source: call.source
    ) { [self] result in
      do throws(Status) {
        switch result {
        case .failure(let fault): throw Status(fault, absence: store.absence)
        case .success(let answer):
          let isLast = answer.available < page.limit
          try readFigures(of: answer.skus, next: isLast ? nil : answer.skus.last, for: call)
        }
      } catch {
        call.fail(error)
      }
    }
    call.whenCancelled { [batch] in batch.withdraw(ticket) }
  }

  private func readFigures(of skus: [SKU], next: SKU?, for call: Call) throws(Status) {
    guard !skus.isEmpty else { return call.reply(ListStockReply()) }
    let listing = Listing(of: skus.count)
    let ticket: Batch.Ticket
    do throws(StoreFault) {
      ticket = try batch.submit(
        all: skus.map { .getStock($0) }, deadline: call.deadline, source: call.source
      ) { [store] place, result in
        listing.took(result, of: skus[place], at: place)
        guard listing.isComplete else { return }
        if let fault = listing.fault {
          call.fail(Status(fault, absence: store.absence))
        } else {
          call.reply(
            ListStockReply(stock: listing.found.compactMap { $0 }, next: next?.text ?? ""))
        }
      }
    } catch {
      throw Status(error, absence: store.absence)
    }
    call.whenCancelled { [batch] in batch.withdraw(ticket) }
  }
}

/// The figures of one page while they come in.
private final class Listing {
  /// nil: not read yet, or the store knows no such SKU any more.
  private(set) var found: [StockListing?]
  /// Why one of them could not be read.
  private(set) var fault: StoreFault?
  private var missing: Int

  init(of count: Int) {
    found = Array(repeating: nil, count: count)
    missing = count
  }

  var isComplete: Bool { missing == 0 }

  func took(_ result: Result<Answer, StoreFault>, of sku: SKU, at place: Int) {
    missing -= 1
    switch result {
    case .failure(let fault): self.fault = self.fault ?? fault
    case .success(let answer):
      guard answer.outcome != .unknownSKU else { return }
      found[place] = StockListing(
        stock: StockLevel(sku: sku.text, figures: answer.figures ?? .none),
        isClosed: answer.outcome == .stockMismatch)
    }
  }
}
