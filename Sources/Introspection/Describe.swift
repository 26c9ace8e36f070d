public import RPC
import Wire

extension MethodTable {
  /// Adds `Reflection/Describe`, which says what the contracts are.
  /// - Parameter contracts: a `stock.v1.DescribeReply`, encoded.
  public mutating func onDescribe(_ contracts: [UInt8]) {
    on(DescribeRequest.method) { $0.reply(EncodedReply(contracts)) }
  }
}

/// A reply that is encoded already.
private struct EncodedReply: ReplyMessage {
  let bytes: [UInt8]

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  init(_ bytes: UnsafeRawBufferPointer, arena: Arena) { self.bytes = Array(bytes) }

  func encode(into buffer: inout ByteBuffer, arena: Arena) {
    bytes.withUnsafeBytes { buffer.append($0) }
  }
}
