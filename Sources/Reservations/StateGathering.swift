import Loop
import RPC
import Wire

/// Calls of `Diagnostics/State` that wait for the states of other shards.  A shard that does not
/// answer in time is counted instead.  Lives on the shard's queue.
final class StateGathering {
  /// How long other shards are waited for.
  private static let patienceMs: UInt64 = 1_000

  private struct Open {
    let call: Call
    var reply: StateReply
    var timer: UInt64
  }

  private let loop: EventLoop
  private var open: [UInt64: Open] = [:]
  private var opened: UInt64 = 0

  init(on loop: EventLoop) { self.loop = loop }

  /// - Parameters:
  ///   - reply: what is known already, this shard included.
  ///   - others: shards from which `received` will come.
  /// - Returns: the number of the call, for `received`.
  func begin(_ call: Call, _ reply: StateReply, others: Int) -> UInt64 {
    opened += 1
    let number = opened
    let timer = loop.after(ms: Self.patienceMs) { [weak self] in self?.answer(number) }
    var reply = reply
    reply.shardsSilent = others
    open[number] = Open(call: call, reply: reply, timer: timer)
    if others == 0 { answer(number) }
    return number
  }

  /// The state of another shard; one that comes too late is ignored.
  func received(_ state: ShardState, for number: UInt64) {
    guard open[number] != nil else { return }
    open[number]!.reply.shards.append(state)
    open[number]!.reply.shardsSilent -= 1
    if open[number]!.reply.shardsSilent == 0 { answer(number) }
  }

  private func answer(_ number: UInt64) {
    guard var whole = open.removeValue(forKey: number) else { return }
    loop.cancel(timer: whole.timer)
    whole.reply.shards.sort { $0.number < $1.number }
    whole.call.reply(whole.reply)
  }
}
