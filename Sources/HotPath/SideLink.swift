import Logging
import Loop

// Connections beside the one that sells: what they hear counts only while they are with the same process
// of Redis.  A name, a forwarder or a virtual address may lead each connection to another one.
extension RedisLink {
  /// A link to the Redis of a store, which is opened only to the process that the store is with.
  static func beside(_ store: Store, on loop: EventLoop, logger: Logger) -> RedisLink {
    let address = store.settings.address
    return RedisLink(to: address, on: loop, logger: logger) { [weak store] link, done in
      link.introduce(to: address) { refusal in
        guard refusal == nil, let store else { return done(refusal ?? "closed") }
        done(link.isBeside(store) ? nil : Self.elsewhere)
      }
    }
  }

  /// Gives the connection up if it is with another process than the store.
  func stay(beside store: Store) {
    if state == .open, !isBeside(store) { drop(Self.elsewhere) }
  }

  private func isBeside(_ store: Store) -> Bool { store.runID == "" || process == store.runID }

  private static var elsewhere: String { "another process of redis than the one that is sold from" }

  /// Says who we are and which database is meant, and asks which process this is.
  /// - Parameter done: called once, with why Redis does not accept it, or nil.
  private func introduce(to address: RedisAddress, _ done: @escaping (String?) -> Void) {
    var refusal: String?
    func note(_ reply: RedisReply?) {
      if refusal == nil { refusal = reply == nil ? "connection closed" : reply?.error }
    }
    if let password = address.password {
      send(["AUTH"] + [address.user, password].compactMap { $0 }) { note($0) }
    }
    send(["SELECT", "\(address.database)"]) { note($0) }
    send(["INFO", "server"]) { [weak self] reply in
      note(reply)
      self?.process = reply?.error == nil ? RedisInfo(reply?.text ?? "").runID ?? "" : ""
      done(refusal)
    }
  }
}
