import HotPath
import RPC
import Wire

extension Sale {
  /// Sends every event that comes, for as long as the caller stays.
  func followEvents(_ call: Call, _ stream: ResponseStream) throws(Status) {
    let wanted = try decoder.follow(call.message, arena: call.arena)
    var start = wanted.fromEarliest ? FeedFollower.Start.earliest : .end
    if let token = wanted.after {
      guard let position = FeedPosition(token) else {
        throw .invalid("after", "the token of an item")
      }
      start = .after(position)
    }
    let follower = FeedFollower(from: start, filter: wanted)
    follower.hasRoom = { [weak stream] in stream?.hasRoom() ?? false }
    follower.send = { [weak stream] event in stream?.send(event.item) }
    follower.note = { [weak stream] position in stream?.send(FollowItem(token: "\(position)")) }
    follower.fail = { [weak stream] fault in stream?.fail(Status(fault)) }
    stream.onRoom = { [feed, weak follower] in
      if let follower { feed.resume(follower) }
    }
    stream.onCancel = { [feed, weak follower] in
      if let follower { feed.remove(follower) }
    }
    feed.add(follower)
  }
}

extension Status {
  /// A follower that cannot go on.
  fileprivate init(_ fault: FeedFault) {
    switch fault {
    case .tooOld(let earliest):
      self.init(
        .outOfRange, reason: "TOKEN_TOO_OLD",
        message: "Events after this token are gone; the earliest token is \(earliest).",
        field: "after")
    case .unknown:
      self.init(
        .outOfRange, reason: "TOKEN_UNKNOWN",
        message: "The store has no event with this token: it has lost events that you have seen.",
        field: "after")
    }
  }
}
