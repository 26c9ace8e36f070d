import CCrypto
public import Inventory

/// Digests that name things: which hold a user and a key mean, which order a hold becomes.
/// SHA-256 from libcrypto.  Not thread-safe: one per shard.
public final class Identity {
  private let context = EVP_MD_CTX_new()!
  private let algorithm = EVP_MD_fetch(nil, "SHA256", nil)!

  /// Holds libcrypto's context until deinit.
  public init() {}

  deinit {
    EVP_MD_CTX_free(context)
    EVP_MD_free(algorithm)
  }

  /// The key of the hold that `user` means by `key`: the first 128 bits over namespace, user and
  /// key, each with its length (one byte) before it, so that no two triples spell the same bytes.
  /// There is one namespace so far, the empty one.
  func hold(user: UnsafeRawBufferPointer, key: UnsafeRawBufferPointer) -> HoldKey {
    let namespace = UnsafeRawBufferPointer(start: nil, count: 0)
    let (high, low) = digest(namespace, user, key)
    return HoldKey(partition: 0, high: high, low: low)
  }

  /// The same of texts that have been taken out.
  public func hold(user: Label, key: Label) -> HoldKey {
    Self.bytes(user.text) { user in Self.bytes(key.text) { hold(user: user, key: $0) } }
  }

  /// The id of the order that a hold becomes: a UUID of version 8 (RFC 9562, 5.8) whose free bits
  /// are the first of the digest over "order" and the hold's id.
  public func order(of hold: HoldID) -> String {
    let (high, low) = orderNumber(of: hold)
    let hex = Self.hex(high) + Self.hex(low)
    var uuid = ""
    for (place, digit) in hex.enumerated() {
      if [8, 12, 16, 20].contains(place) { uuid.append("-") }
      uuid.append(digit)
    }
    return uuid
  }

  /// The order's id as the 128 bits that a UUID is.
  public func orderNumber(of hold: HoldID) -> (high: UInt64, low: UInt64) {
    let (high, low) = Self.bytes("order") { order in
      Self.bytes(hold.description) { digest(order, $0) }
    }
    return (
      high & 0xFFFF_FFFF_FFFF_0FFF | 0x8000,
      low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000
    )
  }

  /// What a file's bytes are known by: the first 128 bits of their digest, in hexadecimal.
  public func content(_ bytes: [UInt8]) -> String {
    let (high, low) = bytes.withUnsafeBytes { sha256($0) }
    return Self.hex(high) + Self.hex(low)
  }

  private static func hex(_ number: UInt64) -> String {
    let digits = String(number, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  private static func bytes<Result>(
    _ text: String, _ body: (UnsafeRawBufferPointer) -> Result
  ) -> Result {
    var text = text
    return text.withUTF8 { body(UnsafeRawBufferPointer($0)) }
  }

  private func digest(
    _ first: UnsafeRawBufferPointer, _ second: UnsafeRawBufferPointer,
    _ third: UnsafeRawBufferPointer? = nil
  ) -> (high: UInt64, low: UInt64) {
    withUnsafeTemporaryAllocation(byteCount: 3 * 256, alignment: 1) { bytes in
      var count = 0
      func take(_ text: UnsafeRawBufferPointer) {
        precondition(text.count <= 255)
        bytes[count] = UInt8(text.count)
        UnsafeMutableRawBufferPointer(rebasing: bytes[(count + 1)...]).copyMemory(from: text)
        count += 1 + text.count
      }
      take(first)
      take(second)
      if let third { take(third) }
      return sha256(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    }
  }

  /// The first 128 bits.
  private func sha256(_ bytes: UnsafeRawBufferPointer) -> (high: UInt64, low: UInt64) {
    EVP_DigestInit_ex2(context, algorithm, nil)
    EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    return withUnsafeTemporaryAllocation(byteCount: 32, alignment: 8) { digest in
      EVP_DigestFinal_ex(context, digest.assumingMemoryBound(to: UInt8.self).baseAddress, nil)
      return (
        UInt64(bigEndian: digest.load(as: UInt64.self)),
        UInt64(bigEndian: digest.load(fromByteOffset: 8, as: UInt64.self))
      )
    }
  }
}
