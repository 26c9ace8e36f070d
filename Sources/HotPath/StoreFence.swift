// Whether this Redis may be sold from: the books have opened this very process of it, and it knows all
// that it has answered to this writer.
extension Store {
  /// Why nothing can be sold.
  public enum Absence: Sendable {
    /// Redis does not answer, or is no Redis to sell from.
    case unreachable
    /// Redis has been restarted, and the books have not opened it yet: a matter of a second.
    case notOpened
    /// Redis has forgotten something: a matter for a person.
    case lost
  }

  /// Why nothing can be sold now; nil: the link is open.
  public var absence: Absence? { isOpen ? nil : fenced ?? .unreachable }

  /// Asks the fence, and says which process of Redis is seen here.
  /// - Parameter done: called with the reason why nobody may sell, or nil.
  func vote(_ done: @escaping (String?) -> Void) {
    let text = String(decoding: PackageResources.vote_lua, as: UTF8.self)
    let answeredIn = sender.opening?.epoch.description ?? ""
    link.send(
      ["EVAL", text, "1", keys.fence, sender.writer, runID, answeredIn, "\(sender.answered)"]
    ) { [weak self] reply in
      guard let self else { return }
      // A Redis that takes no writes now can still be asked; it sells nothing by itself.
      if reply?.error != nil { return ask(done) }
      judge(reply, done)
    }
  }

  private func ask(_ done: @escaping (String?) -> Void) {
    link.send(["HMGET", keys.fence, "epoch", "open", "lost"]) { [weak self] reply in
      self?.judge(reply, done)
    }
  }

  private func judge(_ reply: RedisReply?, _ done: (String?) -> Void) {
    guard let reply, reply.error == nil, reply.count == 3 else {
      return done(reply?.error ?? "connection closed")
    }
    let fence = Fence(
      epoch: reply[0].text ?? "", opening: reply[1].text ?? "", lost: reply[2].text ?? "")
    if let refusal = fence.refusal(runID: runID) {
      fenced = fence.lost == nil && fence.epoch != nil ? .notOpened : .lost
      return done(refusal)
    }
    fenced = nil
    if fence.epoch != sender.opening?.epoch { sender.answered = 0 }
    sender.opening = fence.opening
    done(nil)
  }

  /// Keeps the writer's vote fresh while the link is open.
  func voteFromTimeToTime() {
    loop.after(ms: Fence.voteEveryMs) { [weak self] in
      guard let self else { return }
      voteFromTimeToTime()
      guard isOpen else { return }
      vote { [weak self] refusal in
        if let refusal { self?.link.drop(refusal) }
      }
    }
  }

  /// Takes the writer off the fence, so that nobody waits for it.  Call when it sends nothing more.
  /// - Parameter done: called when Redis has done it, or cannot.
  public func leave(_ done: @escaping () -> Void) {
    guard isOpen, settings.isFenced else { return done() }
    link.send(["HDEL", keys.fence, "seen:\(sender.writer)", sender.writer]) { _ in done() }
  }
}
