import Inventory
import Wire

/// A member of one of the indexes that the sweep reads, and the holds that it names:
/// `<generation> <hold> <hold> …`.
struct IndexMember {
  /// Which index; the letters are those of the script.
  enum Index: UInt8, CaseIterable {
    /// What falls due: `KeySpace.expiry`.
    case expiry = 0x65
    /// `KeySpace.confirmed`
    case confirmed = 0x63
    /// `KeySpace.released`
    case released = 0x72

    /// Its key.
    func key(in keys: KeySpace) -> String {
      switch self {
      case .expiry: keys.expiry
      case .confirmed: keys.confirmed
      case .released: keys.released
      }
    }
  }

  let index: Index
  let bytes: [UInt8]
  /// Empty: no script could have written it.
  let holds: [HoldID]

  /// A member as it stands there.
  init(of index: Index, _ bytes: [UInt8]) {
    (self.index, self.bytes) = (index, bytes)
    let words = String(decoding: bytes, as: UTF8.self).split(separator: " ")
    guard let first = words.first, let generation = UInt64(first) else {
      holds = []
      return
    }
    holds = words.dropFirst().compactMap { HoldKey($0) }.map {
      HoldID(key: $0, generation: generation)
    }
  }

  /// Appends it as an argument of the batch script: the letter of its index, and the member.
  func append(to command: inout ByteBuffer) {
    command.begin(argument: 1 + bytes.count)
    command.append(integer: index.rawValue)
    bytes.withUnsafeBytes { command.append($0) }
    command.endLine()
  }
}
