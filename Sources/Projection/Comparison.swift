import HotPath
import Ledger

/// Whether a Redis may be sold from, as the books see it.
///
/// What it cannot know: what Redis lost without any writer that is still there having been answered,
/// and before the books heard of it.
enum Comparison: Equatable {
  /// It has lost nothing that the books know of.
  case agrees(Epoch)
  /// Not before it has been rebuilt, or the right one has come back.
  case refused(String)
  /// These books are not its own: they have no say in whether it is sold from, and take nothing of it.
  case foreign(String)

  /// - Parameters:
  ///   - delivered: the newest entry that its worker's group was handed; nil: none.
  ///   - newest: the newest stream entry that the books know.
  ///   - last: the newest id that this Redis has ever given.
  ///   - lot: names a deployment that has no name yet.
  init(
    of redis: Fence, last: StreamID, delivered: StreamID?, with books: BookedEpoch?,
    newest: StreamID?, lot: () -> UInt64 = { .random(in: .min ... .max) }
  ) {
    if let reason = Self.foreignness(of: redis.epoch, delivered, to: books) {
      self = .foreign(reason)
    } else if let lost = redis.lost {
      self = .refused(lost)
    } else if let reason = Self.difference(redis.epoch, books) {
      self = .refused(reason)
    } else if let newest, newest > last {
      self = .refused(
        "its last writes are lost: the books know events up to \(newest), and it only up to \(last)"
      )
    } else if let books {
      self = .agrees(Epoch(deployment: books.deployment, number: books.number))
    } else {
      self = .agrees(redis.epoch ?? .first(lot: lot()))
    }
  }

  /// Why these books are not those of a Redis; nil: they are, or may become so.
  static func foreignness(
    of redis: Epoch?, _ delivered: StreamID?, to books: BookedEpoch?
  ) -> String? {
    guard let books else {
      let own =
        redis.map { "belongs to deployment \($0.deployment)" }
        ?? delivered.map { "has given its events up to \($0) to others" }
      return own.map {
        "it \($0), and these books have no name: is DATABASE_URL right, and are they restored?  Books "
          + "that are new on purpose take it with stockworker --new-books"
      }
    }
    guard let redis, redis.deployment != books.deployment else { return nil }
    return "it belongs to deployment \(redis.deployment), and the books to \(books.deployment)"
  }

  /// What is wrong with the epoch of a Redis that is not another's.
  private static func difference(_ redis: Epoch?, _ books: BookedEpoch?) -> String? {
    guard let books else { return nil }
    guard !books.isRebuilding else { return "its rebuild was begun and has not ended" }
    guard let redis else {
      return "it does not know this deployment: it has been emptied, or is another Redis"
    }
    if redis.number < books.number {
      return "it is a copy from before the last rebuild: epoch \(redis.number) of \(books.number)"
    }
    if redis.number > books.number {
      return "the books are a copy from before its last rebuild: epoch \(books.number) of "
        + "\(redis.number)"
    }
    return nil
  }
}
