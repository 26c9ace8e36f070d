import Inventory
import Wire

/// Puts a batch together: `EVALSHA` with every key that its operations name.
struct ScriptCommand: ~Copyable {
  /// What each batch says of the server that sends it.
  struct Sender {
    /// The opening of Redis that this writer has seen; nil: it does not ask for one.
    var opening: Opening?
    /// The last batch that changed something and was answered.
    var answered: UInt64 = 0
    /// This shard of this incarnation of the server.
    let writer: String
    /// Rises by one with every batch of this writer.
    var sequence: UInt64
  }

  /// What the script needs to know beside the operations.
  struct Terms {
    var placing: Store.Placing
    var retentionMs: UInt64
    var retentionCancelledMs: UInt64
  }

  /// The command, encoded.
  private(set) var bytes: ByteBuffer

  /// - Parameter swept: the members of the expiry index that these operations sweep.
  init(
    sha: String, keys: KeySpace, sender: Sender, terms: Terms, swept: [[UInt8]],
    calls: [ScriptCall]
  ) {
    var skus: [SKU: UInt16] = [:]
    var skuKeys: [SKU] = []
    var holds: UInt16 = 0
    var requests: UInt16 = 0
    var places: [(place: UInt16, sku: UInt16)] = []
    places.reserveCapacity(calls.count)
    for call in calls {
      var place: (place: UInt16, sku: UInt16) = (0, 0)
      if call.hold != nil {
        holds += 1
        place.place = holds
      } else if call.request != nil {
        requests += 1
        place.place = requests
      }
      if let sku = call.sku {
        if let known = skus[sku] {
          place.sku = known
        } else {
          skuKeys.append(sku)
          place.sku = UInt16(skuKeys.count)
          skus[sku] = place.sku
        }
      }
      places.append(place)
    }

    bytes = ByteBuffer(capacity: 1024 + calls.count * 256)
    let keyCount = 4 + Int(holds) + Int(requests) + 2 * skuKeys.count
    bytes.append("*\(3 + keyCount + 6 + swept.count + 1)\(crlf)")
    bytes.append(argument: "EVALSHA")
    bytes.append(argument: sha)
    bytes.append(argument: "\(keyCount)")
    bytes.append(argument: keys.fence)
    bytes.append(argument: keys.events)
    bytes.append(argument: keys.expiry)
    bytes.append(argument: keys.skus)
    for call in calls {
      if let hold = call.hold { bytes.append(key: keys.holdPrefix, hold) }
    }
    for call in calls {
      if let request = call.request { bytes.append(argument: keys.request(request)) }
    }
    for sku in skuKeys {
      bytes.append(argument: keys.stock(sku))
      bytes.append(argument: keys.figures(sku))
    }

    appendHeader(
      counts: (UInt32(holds), UInt32(requests), UInt32(skuKeys.count)), sender, terms, swept)
    bytes.begin(argument: calls.reduce(0) { $0 + $1.bytes.count })
    for (call, place) in zip(calls, places) { append(call, at: place) }
    bytes.append(crlf)
  }

  private mutating func appendHeader(
    counts: (UInt32, UInt32, UInt32), _ sender: Sender, _ terms: Terms, _ swept: [[UInt8]]
  ) {
    var header = ByteBuffer(capacity: 32)
    header.append(integer: counts.0)
    header.append(integer: counts.1)
    header.append(integer: counts.2)
    header.append(integer: UInt32(swept.count))
    header.append(integer: terms.placing.rawValue)
    header.append(integer: terms.retentionMs)
    header.append(integer: terms.retentionCancelledMs)
    bytes.append(argument: header.readable)
    bytes.append(
      argument: "\(sender.opening?.epoch.description ?? "0")/\(sender.writer)/\(sender.sequence)")
    bytes.append(argument: sender.writer)
    bytes.append(argument: "\(sender.sequence)")
    bytes.append(argument: sender.opening?.description ?? "")
    bytes.append(argument: "\(sender.answered)")
    for member in swept { member.withUnsafeBytes { bytes.append(argument: $0) } }
  }

  private mutating func append(_ call: ScriptCall, at place: (place: UInt16, sku: UInt16)) {
    let start = bytes.count
    call.bytes.withUnsafeBytes { bytes.append($0) }
    withUnsafeBytes(of: place.place.littleEndian) {
      bytes.overwrite(at: start + ScriptCall.placeOffset, with: $0)
    }
    withUnsafeBytes(of: place.sku.littleEndian) {
      bytes.overwrite(at: start + ScriptCall.skuOffset, with: $0)
    }
  }
}
