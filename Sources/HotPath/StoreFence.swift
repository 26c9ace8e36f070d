import Loop

// Whether this Redis may be sold from: the books have opened this very process of it, the opening has not
// run out, and it knows all that it has answered to this writer.
extension Store {
  /// Why nothing can be sold.
  public enum Absence: Sendable {
    /// Redis does not answer, or is no Redis to sell from.
    case unreachable
    /// Redis refuses every write.
    case refusing
    /// Redis has not been opened by the books, or its opening has run out: a matter of seconds, while a
    /// worker and PostgreSQL are there.
    case notOpened
    /// Redis has forgotten something: a matter for a person.
    case lost
  }

  /// Why nothing can be sold now; nil: the link is open.
  public var absence: Absence? {
    switch link.state {
    case .open: nil
    case .greeting: fenced?.absence ?? .unreachable
    case .down(let reason): fenced?.reason == reason ? fenced?.absence : .unreachable
    }
  }

  /// Says which process of Redis is seen here, and that nothing which was sent before is to run any more,
  /// and asks whether it may be sold from.
  /// - Parameters:
  ///   - news: what has just become of the replicas.
  ///   - done: called with the reason why nobody may sell, or nil.
  func vote(_ news: ReplicaNews = ReplicaNews(), _ done: @escaping (String?) -> Void) {
    let text = String(decoding: PackageResources.vote_lua, as: UTF8.self)
    let answeredIn = sender.opening?.epoch.description ?? ""
    link.send(
      [
        "EVAL", text, "1", keys.fence, sender.writer, runID, answeredIn, "\(sender.answered)",
        "\(sender.sequence)", news.cameFirst ? "\(Lease.msDefault)" : "",
        news.hasGone ? "\(Fence.doubtMs)" : "", news.line ?? "", news.lineBefore,
      ]
    ) { [weak self] reply in
      guard let self else { return }
      guard let reply else { return done("connection closed") }
      judge(reply, done)
    }
  }

  private func judge(_ reply: RedisReply, _ done: @escaping (String?) -> Void) {
    if let error = reply.error {
      let refusal = Self.refusalToWrite(error)
      return close(because: refusal ?? error, refusal == nil ? .unreachable : .refusing, done)
    }
    guard let fence = Fence(reply), let now = UInt64(reply[6].text ?? "") else {
      return done("the fence's reply has another shape")
    }
    clock.heard(now, at: monotonicNow())
    guard settings.isFenced else { return done(nil) }
    if let refusal = fence.refusal(runID: runID, line: replicationID) {
      let isPassing = fence.lost == nil && fence.epoch != nil
      return close(because: refusal, isPassing ? .notOpened : .lost, done)
    }
    // When it came nobody knows: by now it may be a master.
    if hasReplicas, !fence.hasEnd {
      let reason = "a replica has come while no server looked: waiting for a worker"
      return close(because: reason, .notOpened, done)
    }
    (fenced, isLeased) = (nil, fence.leaseLeftMs != nil)
    if doubt != fence.why, let why = fence.why {
      logger.error(
        "ALARM: a worker does not take the events of redis", metadata: ["reason": "\(why)"])
    }
    doubt = fence.why
    if fence.epoch != sender.opening?.epoch { sender.answered = 0 }
    if fence.opening != sender.opening { sender.opening = fence.opening }
    done(nil)
  }

  private func close(because reason: String, _ absence: Absence, _ done: (String?) -> Void) {
    fenced = (absence, reason)
    done(reason)
  }

  /// What Redis's own refusal of every write means; nil: the error is another.
  static func refusalToWrite(_ error: String) -> String? {
    switch error.split(separator: " ").first {
    case "NOREPLICAS":
      "redis refuses to write: too few replicas follow it (min-replicas-to-write, "
        + "min-replicas-max-lag)"
    case "READONLY": "redis refuses to write: it is a replica (replica-read-only)"
    case "MISCONF":
      "redis refuses to write: it cannot save its data (stop-writes-on-bgsave-error, or a full disk)"
    default: nil
    }
  }

  func dropIfRefused(_ refusal: String?) {
    if let refusal { link.drop(refusal) }
  }

  /// Keeps the writer's vote fresh while the link is open.
  func voteFromTimeToTime() {
    loop.after(ms: Fence.voteEveryMs) { [weak self] in
      guard let self else { return }
      voteFromTimeToTime()
      guard isOpen else { return }
      vote { [weak self] in self?.dropIfRefused($0) }
    }
  }

  /// Takes the writer off the fence, so that nobody waits for it.  Call when it sends nothing more.
  ///
  /// Its number stays while a connection that died may still deliver what went into it.
  /// - Parameter done: called when Redis has done it, or cannot.
  public func leave(_ done: @escaping () -> Void) {
    guard isOpen else { return done() }
    let isClean =
      sender.lostAt.map { loop.now > $0 + Fence.deadlineMsMax * 1_000_000 } ?? true
    let own = ["seen:\(sender.writer)"] + (isClean ? [sender.writer] : [])
    link.send(["HDEL", keys.fence] + own) { _ in done() }
  }

  // MARK: which Redis

  /// A replica takes what its master has, whatever was written to it.
  var replicaRefusal: String? {
    durability.masterOfReplica.map { "this is a replica of \($0): stockd belongs to the master" }
  }

  func identify(_ info: RedisInfo) {
    let found = RedisIdentity(runID: info.runID ?? runID, info)
    let count = Int(info["connected_slaves"] ?? "") ?? 0
    var news = ReplicaNews(lineBefore: replicationID)
    (news.cameFirst, news.hasGone) = (found.hasReplicas && !hasReplicas, count < replicaCount)
    // Redis names its line anew with its first replica, and when it gives its backlog up; and after each
    // time as a replica, of which it then keeps the name.
    let isAnotherLine = found.line != replicationID
    if isAnotherLine, found.runID == runID, !found.wasReplica { news.line = found.line }
    (hasReplicas, replicaCount, replicationID) = (found.hasReplicas, count, found.line)
    if isOpen, news.cameFirst || news.hasGone || isAnotherLine {
      vote(news) { [weak self] in self?.dropIfRefused($0) }
    }
    guard found.runID != runID else { return }
    runID = found.runID
    processChanged()
  }
}

/// What has become of the replicas of a Redis since it was looked at last, half a second ago.
struct ReplicaNews {
  /// The first has come.
  var cameFirst = false
  /// One has gone.
  var hasGone = false
  /// The line of writes has another name, though Redis was a master throughout; nil: it has not.
  var line: String?
  /// The name before.
  var lineBefore = ""
}
