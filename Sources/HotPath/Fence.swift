/// Which life of which deployment a Redis belongs to, written `<deployment>.<number>`.
///
/// The deployment is drawn by lot when the books are made; the number rises by one each time a Redis
/// is rebuilt from them, so that an older copy is recognised.
public struct Epoch: Hashable, Sendable, CustomStringConvertible {
  /// Length of the name of a deployment: 64 bits in hexadecimal.
  public static let deploymentBytes = 16

  /// Which deployment.
  public let deployment: String
  /// From 1.
  public let number: Int64

  /// An epoch from its parts.
  public init(deployment: String, number: Int64) {
    (self.deployment, self.number) = (deployment, number)
  }

  /// The first epoch of a deployment that is named by a number drawn by lot.
  public static func first(lot: UInt64) -> Epoch {
    let digits = String(lot, radix: 16)
    let zeros = String(repeating: "0", count: deploymentBytes - digits.utf8.count)
    return Epoch(deployment: zeros + digits, number: 1)
  }

  /// nil: not of the form `<deployment>.<number>`.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 2, parts[0].utf8.count == Self.deploymentBytes,
      parts[0].utf8.allSatisfy({
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
          || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
      }),
      let number = Int64(parts[1]), number > 0
    else { return nil }
    self.init(deployment: String(parts[0]), number: number)
  }

  /// `<deployment>.<number>`
  public var description: String { "\(deployment).\(number)" }
}

/// That the books have opened one process of Redis to the sale, written `<epoch> <run id>`.
public struct Opening: Hashable, Sendable, CustomStringConvertible {
  /// In which life of the deployment.
  public let epoch: Epoch
  /// Names one process of Redis: a restarted one has another.
  public let runID: String

  /// An opening from its parts.
  public init(epoch: Epoch, runID: String) { (self.epoch, self.runID) = (epoch, runID) }

  /// nil: not of the form `<epoch> <run id>`.
  public init?(_ text: some StringProtocol) {
    let parts = text.split(separator: " ", omittingEmptySubsequences: false)
    guard parts.count == 2, let epoch = Epoch(parts[0]), !parts[1].isEmpty else { return nil }
    self.init(epoch: epoch, runID: String(parts[1]))
  }

  /// `<epoch> <run id>`
  public var description: String { "\(epoch) \(runID)" }
}

/// What a Redis says of itself in its `fence`.
public struct Fence: Equatable, Sendable {
  /// A writer says so often which process of Redis it sees, in milliseconds.
  static let voteEveryMs: UInt64 = 2_000
  /// A writer that has not voted for this long, in milliseconds, is not waited for.
  public static let writerGoneMs: UInt64 = 10_000
  /// A Redis with old files waits for this long, in milliseconds, for those who were there last: a server
  /// connects again within a second.
  public static let writerReturnMs: UInt64 = 3_000
  /// A writer that has not voted for this long, in milliseconds, is forgotten: a week.
  public static let writerForgottenMs: UInt64 = 7 * 86_400_000
  /// An answer that took longer than this, in milliseconds, may be of a Redis whose opening has run out
  /// meanwhile; no other is opened sooner than this after the opening's end.
  public static let answerMsMax: UInt64 = 1_000
  /// When a replica goes, the opening holds no longer than this, in milliseconds, unless it is renewed.
  static let doubtMs: UInt64 = 2_000
  /// No caller waits longer than this, in milliseconds: so old is the oldest call that may still run.
  static let deadlineMsMax: UInt64 = 65_535
  /// A clock that is set back by no more than this, in milliseconds, ends no opening.
  public static let clockSlackMs: UInt64 = 500

  /// nil: it was never opened, or it has been emptied.
  public var epoch: Epoch?
  /// nil: nobody may sell from it.
  public var opening: Opening?
  /// Why nobody may sell from it until it has been rebuilt; nil: nothing is known to be lost.
  public var lost: String?
  /// For how many milliseconds the opening still holds, unless it is renewed; nil: it does not end by
  /// itself, or in a thousand years.
  public var leaseLeftMs: UInt64?
  /// Whether the opening has an end, be it in a thousand years.
  public var hasEnd = false
  /// The line of writes that was opened, as Redis names it (`master_replid`); nil: by a version that did
  /// not write it down.
  public var line: String?
  /// Why no worker opens it, as one has said last; nil: none has said anything.
  public var why: String?

  /// A fence from its parts.
  public init(
    epoch: Epoch? = nil, opening: Opening? = nil, lost: String? = nil, leaseLeftMs: UInt64? = nil
  ) {
    (self.epoch, self.opening, self.lost) = (epoch, opening, lost)
    self.leaseLeftMs = leaseLeftMs
  }

  /// As `vote.lua` and `fence.lua` say it: epoch, opening, what is lost, for how long the opening still
  /// holds, why it is not opened, and which line was opened; '' for what there is not.
  init?(_ reply: RedisReply) {
    guard reply.error == nil, reply.count >= 6 else { return nil }
    func text(_ place: Int) -> String? {
      reply[place].text.flatMap { $0.isEmpty ? nil : $0 }
    }
    self.init(
      epoch: text(0).flatMap { Epoch($0) }, opening: text(1).flatMap { Opening($0) },
      lost: text(2),
      leaseLeftMs: text(3).flatMap { UInt64($0) }.flatMap { $0 < Lease.never / 2 ? $0 : nil })
    (hasEnd, why, line) = (text(3) != nil, text(4), text(5))
  }

  /// Why a writer that sees this process of Redis may not sell; nil: it may.
  /// - Parameter line: the line of writes that it continues.
  func refusal(runID: String, line: String) -> String? {
    if let lost { return "closed until it is rebuilt: \(lost)" }
    let reason = why.map { ": \($0)" } ?? ""
    guard let opening else { return "not opened by a worker yet\(reason)" }
    guard opening.runID == runID else {
      return "restarted, or a replica before, and not opened by a worker yet\(reason)"
    }
    guard opening.epoch == epoch else { return "its fence contradicts itself" }
    if let opened = self.line, opened != line {
      return
        "its role has changed since it was opened, or its first replica has come while no server "
        + "looked, and no worker has opened it again\(reason)"
    }
    guard leaseLeftMs == 0 else { return nil }
    return
      "its opening has run out, and no worker has renewed it: is one running, and can it reach "
      + "PostgreSQL?"
  }
}
