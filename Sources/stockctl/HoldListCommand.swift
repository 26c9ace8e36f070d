import ArgumentParser
import FoundationEssentials
import Inventory
import Wire

/// `stockctl hold list`
struct HoldListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists holds out of the books, newest first, a page at a time.",
    discussion: """
      Asks a worker.  The books are a moment behind the sale; ACTIVE means that they know of no end \
      yet.  A page may be empty though there are more: 10,000 holds are looked at for one.
      """)

  @OptionGroup var worker: WorkerOptions
  @Option(help: "Only of this user.") var user = ""
  @Option(help: "Only of this SKU.") var sku = ""
  @Option(help: "Only ACTIVE, CONFIRMED, CANCELLED or EXPIRED ones.") var status = ""
  @Option(help: "Only those made longer ago than this: 90s, 15m, 2h, 7d.") var olderThan: Span?
  @Option(help: "Only those made within this time.") var youngerThan: Span?
  @OptionGroup var page: PageOptions

  func run() async throws {
    let now = Int64(Date().timeIntervalSince1970 * 1000)
    func ago(_ span: Span) -> Int64 { max(1, now &- Int64(clamping: span.milliseconds)) }
    var wanted = ListHoldsRequest()
    (wanted.userID, wanted.sku, wanted.status) = (user, sku, status.uppercased())
    wanted.createdFrom = youngerThan.map(ago) ?? 0
    wanted.createdUntil = olderThan.map(ago) ?? 0
    wanted.limit = page.entries
    let output = Output(json: worker.json)
    try await worker.caller().keepingConnection { [wanted] caller in
      try await output.pages(from: page.after, all: page.all) { next in
        var request = wanted
        request.after = next
        let reply = try await caller.call(request)
        return (reply.holds.map { output.json ? $0.fields : $0.columns }, reply.next)
      }
    }
  }
}

/// Which page, or all of them.
struct PageOptions: ParsableArguments {
  @Option(help: "Begin after this, the 'next' of the page before.") var after = ""
  @Option(help: "Entries of a page, 1 to 200. [50; with --all 200]") var limit: Int?
  @Flag(help: "Every page.") var all = false

  /// Entries of a page: what takes all of them has no use for small ones.
  var entries: Int {
    limit ?? (all ? ListHoldsRequest.limitMax : ListHoldsRequest.limitDefault)
  }

  func validate() throws {
    guard limit.map({ (1...ListHoldsRequest.limitMax).contains($0) }) ?? true else {
      throw ValidationError("--limit: 1 to \(ListHoldsRequest.limitMax)")
    }
  }
}

extension HoldRecord {
  var fields: Output.Fields {
    [
      ("hold_id", .text(holdID)), ("status", .text(status)), ("sku", .text(sku)),
      ("qty", .number(qty)), ("user_id", .text(userID)),
      ("idempotency_key", .text(idempotencyKey)), ("created_at", .number(createdAt)),
      ("expires_at", .number(expiresAt)), ("changed_at", .number(changedAt)),
      ("version", .number(version)), ("payment_ref", .text(paymentRef)),
      ("order_id", .text(orderID)), ("stream_id", .text(streamID)),
    ]
  }

  /// What a person looks for first.
  fileprivate var columns: Output.Fields {
    [
      ("hold_id", .text(holdID)), ("status", .text(status)), ("sku", .text(sku)),
      ("qty", .number(qty)), ("user_id", .text(userID)), ("created_at", .number(createdAt)),
      ("expires_at", .number(expiresAt)),
    ]
  }
}
