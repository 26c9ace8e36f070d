import CHiredis
import Wire

/// Memory for one reply at a time: hiredis's reader asks here for every part of it, and gets a
/// pointer moved forward, where its own functions allocate twice for each.
///
/// Lives as long as the readers that it serves, and on their queue.
final class ReplyArena {
  private let arena = Arena()

  /// How a reader makes its replies, all the same for every arena: the reader says which one.
  ///
  /// Unsafe in the compiler's eyes alone: what it points to is written once, before any reader has it,
  /// and only read from then on.
  nonisolated(unsafe) private static let functions = {
    let functions = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
    functions.initialize(
      to: redisReplyObjectFunctions(
        createString: { task, bytes, count in
          let (reply, text) = ReplyArena.place(task!, more: count)
          text.copyMemory(from: bytes!, byteCount: count)
          reply.pointee.str = text.assumingMemoryBound(to: CChar.self)
          reply.pointee.len = count
          return UnsafeMutableRawPointer(reply)
        },
        createArray: { task, count in
          let places = max(Int(count), 0)
          let (reply, list) = ReplyArena.place(
            task!, more: places * MemoryLayout<UnsafeMutableRawPointer>.stride)
          reply.pointee.elements = places
          reply.pointee.element = list.initializeMemory(
            as: UnsafeMutablePointer<redisReply>?.self, repeating: nil, count: places)
          return UnsafeMutableRawPointer(reply)
        },
        createInteger: { task, value in
          let (reply, _) = ReplyArena.place(task!)
          reply.pointee.integer = value
          return UnsafeMutableRawPointer(reply)
        },
        createNil: { task in
          // What was read is a string or an array that is not there.
          let (reply, _) = ReplyArena.place(task!)
          reply.pointee.type = REDIS_REPLY_NIL
          return UnsafeMutableRawPointer(reply)
        },
        freeObject: { _ in }))
    return functions
  }()

  /// Has a reader make its replies here.
  func serve(_ reader: UnsafeMutablePointer<redisReader>) {
    reset()
    reader.pointee.fn = Self.functions
    reader.pointee.privdata = Unmanaged.passUnretained(self).toOpaque()
  }

  /// Forgets the last reply.  Not while one is being read.
  func reset() { arena.reset() }

  /// An empty reply of the kind that was read, in its place in the array that it belongs to, and so many
  /// bytes more.
  private static func place(
    _ task: UnsafePointer<redisReadTask>, more: Int = 0
  ) -> (reply: UnsafeMutablePointer<redisReply>, more: UnsafeMutableRawPointer) {
    let size = MemoryLayout<redisReply>.stride
    let memory = Unmanaged<ReplyArena>.fromOpaque(task.pointee.privdata!)
      ._withUnsafeGuaranteedRef { $0.arena.allocate(size + more) }
    let reply = memory.initializeMemory(as: redisReply.self, to: redisReply())
    reply.pointee.type = task.pointee.type
    if let parent = task.pointee.parent {
      let array = parent.pointee.obj!.assumingMemoryBound(to: redisReply.self)
      array.pointee.element[Int(task.pointee.idx)] = reply
    }
    return (reply, memory + size)
  }
}
