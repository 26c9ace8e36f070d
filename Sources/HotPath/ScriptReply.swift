extension Store {
  /// The script's reply, valid inside the completion.
  struct Reply {
    /// What the script said about one operation.
    struct Result {
      /// An outcome, or that the SKU is needed.
      let code: UInt8
      /// Units available.
      let available: UInt64
      /// A record, figures or a SKU; most results have none.
      let more: UnsafeRawBufferPointer
    }

    /// The results of a batch, read in the order of its operations.
    ///
    /// Their heads are `<I2I8`, all in one string: outcome (256 more: something follows) and units
    /// available.  What follows a head is an element of its own.
    struct Results {
      private var heads: StructReader
      private let raw: RedisReply
      private var place = Reply.firstMore

      fileprivate init(_ raw: RedisReply) {
        self.raw = raw
        heads = StructReader(raw[Reply.heads].bytes)
      }

      mutating func next() throws -> Result {
        let head = try heads.integer(UInt16.self)
        let available = try heads.integer(UInt64.self)
        let code = UInt8(truncatingIfNeeded: head)
        guard head > UInt8.max else {
          let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
          return Result(code: code, available: available, more: nothing)
        }
        guard place < raw.count else { throw ScriptReplyError() }
        defer { place += 1 }
        return Result(code: code, available: available, more: raw[place].bytes)
      }
    }

    private static let heads = 3
    private static let firstMore = 4
    private static let headBytes = 10

    /// Milliseconds since 1970.
    let now: UInt64
    /// Members of the expiry index that were still there and have been removed.
    let swept: Int
    /// Whether anything was changed, and so the writer's sequence written down.
    var wrote: Bool { swept > 0 || raw[1].bytes.count > 0 }
    private let raw: RedisReply

    /// nil: not what the script of this version says of so many operations.
    init?(_ raw: RedisReply, operations: Int) {
      guard raw.count >= Self.firstMore, raw[0].integer > 0,
        raw[Self.heads].bytes.count == operations * Self.headBytes
      else { return nil }
      (self.raw, now, swept) = (raw, UInt64(raw[0].integer), Int(raw[2].integer))
    }

    var results: Results { Results(raw) }
  }
}
