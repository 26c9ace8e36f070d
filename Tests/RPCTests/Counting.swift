import RPC
import Wire

/// Asks for the numbers from 1 up to `last`, one item each, `padding` bytes long.
struct CountRequest: StreamRequest, Sendable {
  typealias Reply = Count
  static let method = "test.Counting/Count"

  var last: UInt64
  var padding: UInt64

  init(last: UInt64, padding: UInt64 = 0) { (self.last, self.padding) = (last, padding) }

  init(_ bytes: UnsafeRawBufferPointer) throws(Status) {
    guard bytes.count == 16 else { throw .malformedMessage }
    last = bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)
    padding = bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
  }

  func encode(into buffer: inout ByteBuffer, arena: Arena) {
    withUnsafeBytes(of: last) { buffer.append($0) }
    withUnsafeBytes(of: padding) { buffer.append($0) }
  }
}

/// One number.
struct Count: ReplyMessage, Sendable {
  var number: UInt64
  var padding: UInt64 = 0

  init(number: UInt64, padding: UInt64) { (self.number, self.padding) = (number, padding) }

  init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard bytes.count >= 8 else { throw MessageError() }
    number = bytes.loadUnaligned(as: UInt64.self)
  }

  func encode(into buffer: inout ByteBuffer, arena: Arena) {
    withUnsafeBytes(of: number) { buffer.append($0) }
    buffer.append(String(repeating: "x", count: Int(padding)))
  }
}

/// Sends the numbers while there is room.
final class Counter {
  private let stream: ResponseStream
  private let request: CountRequest
  private(set) var sent: UInt64 = 0
  private(set) var ended = false

  init(on stream: ResponseStream, from request: CountRequest) {
    self.stream = stream
    self.request = request
    stream.onRoom = { [weak self] in self?.go() }
    stream.onCancel = { [weak self] in self?.ended = true }
    go()
  }

  private func go() {
    while sent < request.last {
      guard stream.hasRoom() else { return }
      sent += 1
      stream.send(Count(number: sent, padding: request.padding))
    }
    ended = true
    stream.finish()
  }
}
