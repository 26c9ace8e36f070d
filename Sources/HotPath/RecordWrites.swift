/// Tells whether somebody may have written into the records of holds, whoever it was, without reading them:
/// Redis counts the calls of each command, also those that scripts make.
///
/// A record is a string, and most commands cannot touch one: those that read, and those of hashes, sets,
/// streams and channels, which is all that the service's own bookkeeping needs while nobody buys.  Any
/// other, known or not, may have.
public struct RecordWrites: Equatable, Sendable {
  /// How often each command that may have was called.
  private let calls: [Substring: Substring]
  /// Keys that Redis has removed by itself.
  private let removed: [Substring?]

  /// - Parameters:
  ///   - commands: INFO's section `commandstats`.
  ///   - stats: INFO's section `stats`.
  init(commands: RedisInfo, stats: RedisInfo) {
    var calls: [Substring: Substring] = [:]
    for (name, value) in commands.values {
      let command = name.dropFirst("cmdstat_".count)
      guard !Self.harmless.contains(command.prefix { $0 != "|" }) else { continue }
      calls[command] = value.prefix { $0 != "," }
    }
    self.calls = calls
    removed = [stats["expired_keys"], stats["evicted_keys"]]
  }

  private static let harmless = Set(
    """
    auth client cluster command config dbsize discard echo eval eval_ro evalsha evalsha_ro exec
    exists get getrange hdel hello hexists hget hgetall hincrby hkeys hlen hmget hmset hscan
    hset hsetnx hvals info keys lastsave latency memory mget monitor multi object ping
    psubscribe psync pttl publish quit randomkey readonly replconf role scan script select
    slowlog strlen subscribe sync time ttl type unsubscribe unwatch wait waitaof watch xack xadd
    xautoclaim xclaim xdel xgroup xinfo xlen xpending xrange xread xreadgroup xrevrange xsetid
    xtrim zadd zcard zcount zrange zrangebyscore zrem zremrangebyscore zscan zscore
    """.split(whereSeparator: \.isWhitespace))
}

extension StoreView {
  /// What is another after somebody may have written into the records of holds.
  public func writes() throws(StreamFault) -> RecordWrites {
    func info(_ section: String) throws(StreamFault) -> RedisInfo {
      try session.call(["INFO", section]) { RedisInfo($0.text ?? "") }
    }
    return RecordWrites(commands: try info("commandstats"), stats: try info("stats"))
  }
}
