/// A consumer group, and how far it is.
public struct StreamGroup: Hashable, Sendable {
  /// Its name.
  public let name: String
  /// Entries that were handed out and not acknowledged.
  public let pending: Int
  /// The newest entry that was handed out.
  public let lastDelivered: StreamID
  /// Entries that were not handed out yet; nil where Redis cannot tell, as after an XDEL.  0 where no
  /// entry follows `lastDelivered`, whatever Redis counts.
  public let lag: Int?
}

extension StreamGroup {
  /// The command whose reply `all` reads.
  static func question(about keys: KeySpace) -> [String] {
    ["EVAL", String(decoding: PackageResources.groups_lua, as: UTF8.self), "1", keys.events]
  }

  /// The groups in a reply; nil: there is something else in it.  An error has none.
  static func all(in reply: RedisReply) -> [StreamGroup]? {
    var groups: [StreamGroup] = []
    for fields in reply.elements {
      var values: [String: RedisReply] = [:]
      for place in stride(from: 0, to: fields.count - 1, by: 2) {
        values[fields[place].text ?? ""] = fields[place + 1]
      }
      guard let name = values["name"]?.text, let pending = values["pending"]?.integer,
        let last = values["last-delivered-id"]?.text.flatMap({ StreamID($0) })
      else { return nil }
      groups.append(
        StreamGroup(
          name: name, pending: Int(pending), lastDelivered: last,
          lag: values["lag"].flatMap { $0.text == nil ? nil : Int($0.integer) }))
    }
    return groups
  }
}
