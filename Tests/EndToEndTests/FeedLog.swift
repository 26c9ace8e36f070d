import Harness
import Inventory
import RPC
import Testing
import Wire

/// What a follower has received, in the order of its arrival.
actor FeedLog {
  private(set) var items: [FollowItem] = []
  private(set) var failure: Status?
  private var task: Task<Void, Never>?

  /// Follows in the background until `stop`, or until the stream fails.
  func start(_ client: StockClient, _ request: FollowRequest = FollowRequest()) {
    task = Task { [self] in
      do {
        for try await item in client.follow(request) { items.append(item) }
      } catch {
        failure = error as? Status
      }
    }
  }

  func stop() async {
    task?.cancel()
    await task?.value
  }

  /// Events, without the items that only carry a token.
  var events: [FollowItem] { items.filter { !$0.type.isEmpty } }

  /// Where to resume.
  var token: String { items.last?.token ?? "" }

  /// Whether the stream has begun.
  var hasBegun: Bool { !items.isEmpty }

  /// How many different events have come.
  var distinct: Int { Set(events.map(\.id)).count }

  /// The holds whose events did not come in their order, each version for the first time.
  var disordered: [String] {
    var versions: [HoldID: UInt64] = [:]
    var seen: Set<String> = []
    var wrong: [String] = []
    for item in events where seen.insert(item.id).inserted {
      guard case .hold(_, let hold) = item.event else { continue }
      if hold.version != (versions[hold.id] ?? 0) + 1 { wrong.append(item.id) }
      versions[hold.id] = hold.version
    }
    return wrong
  }
}

extension Shop {
  /// The ids of every event in the stream, as a follower from its beginning gets them.
  func eventIDs(_ count: Int) async throws -> Set<String> {
    let (client, log) = (client(), FeedLog())
    await log.start(client, FollowRequest(fromEarliest: true))
    try await eventually("all of the stream has come") { await log.distinct == count }
    let ids = Set(await log.events.map(\.id))
    await log.stop()
    await client.close()
    return ids
  }
}
