import Contracts
import RPC
import Wire

extension Sale {
  /// Says what the contracts are.
  func describe(_ call: Call) { call.reply(EncodedReply(Contracts.describeReply)) }
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
