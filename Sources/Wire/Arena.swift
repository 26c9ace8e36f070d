import CStockProto

#if canImport(Glibc)
  import Glibc
#endif

/// Memory for the messages of one call.  protobuf-c allocates every message and every text by
/// itself; here that is a pointer moved forward, and `reset` frees all of it at once.
///
/// Not thread-safe: one per shard, or one per use.  What was decoded is valid until `reset`.
public final class Arena {
  private let blockBytes: Int
  private let block: UnsafeMutableRawPointer
  private var used = 0
  /// Allocations that the block could not take.
  private var spilled: [UnsafeMutableRawPointer] = []
  private let allocator = UnsafeMutablePointer<ProtobufCAllocator>.allocate(capacity: 1)

  /// An empty arena with its first block.
  public convenience init() { self.init(blockBytes: 64 * 1024) }

  /// - Parameter blockBytes: 0: each allocation is by itself, and AddressSanitizer sees its ends.
  init(blockBytes: Int) {
    self.blockBytes = blockBytes
    block = .allocate(byteCount: blockBytes, alignment: 16)
    allocator.initialize(
      to: ProtobufCAllocator(
        alloc: { Unmanaged<Arena>.fromOpaque($0!).takeUnretainedValue().allocate($1) },
        free: { _, _ in },
        allocator_data: nil))
    allocator.pointee.allocator_data = Unmanaged.passUnretained(self).toOpaque()
  }

  deinit {
    reset()
    block.deallocate()
    allocator.deallocate()
  }

  /// Forgets everything that was allocated.
  public func reset() {
    used = 0
    guard !spilled.isEmpty else { return }
    for memory in spilled { memory.deallocate() }
    spilled.removeAll(keepingCapacity: true)
  }

  /// Memory until `reset`, aligned to 16 bytes.
  public func allocate(_ count: Int) -> UnsafeMutableRawPointer {
    let padded = (count + 15) & ~15
    if used + padded <= blockBytes {
      defer { used += padded }
      return block + used
    }
    let memory = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1), alignment: 16)
    spilled.append(memory)
    return memory
  }

  /// A text copied into the arena, as protobuf-c wants it.
  func bytes(_ text: String) -> ProtobufCBinaryData {
    var text = text
    return text.withUTF8 { utf8 in
      guard !utf8.isEmpty else { return ProtobufCBinaryData() }
      let copy = allocate(utf8.count)
      copy.copyMemory(from: utf8.baseAddress!, byteCount: utf8.count)
      return ProtobufCBinaryData(
        len: utf8.count, data: copy.assumingMemoryBound(to: UInt8.self))
    }
  }

  /// Bytes copied into the arena.
  func bytes(_ bytes: [UInt8]) -> ProtobufCBinaryData {
    guard !bytes.isEmpty else { return ProtobufCBinaryData() }
    let copy = allocate(bytes.count)
    bytes.withUnsafeBytes { copy.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    return ProtobufCBinaryData(len: bytes.count, data: copy.assumingMemoryBound(to: UInt8.self))
  }

  /// Copies a message into the arena, for a field that points at it.
  func place<Message>(_ message: Message) -> UnsafeMutablePointer<Message> {
    let memory = allocate(MemoryLayout<Message>.size).bindMemory(to: Message.self, capacity: 1)
    memory.initialize(to: message)
    return memory
  }

  /// Copies pointers into the arena, for a repeated field.
  func list<Element>(_ elements: [Element]) -> UnsafeMutablePointer<Element>? {
    guard !elements.isEmpty else { return nil }
    let memory = allocate(MemoryLayout<Element>.stride * elements.count)
      .bindMemory(to: Element.self, capacity: elements.count)
    memory.initialize(from: elements, count: elements.count)
    return memory
  }

  /// Fields of one message that is read here, repeated ones counted each: the widest has 14.
  static let fieldsMax = 64

  /// Decodes one message; nil when the bytes are not one, or have more fields than `fieldsMax`: a
  /// megabyte of empty fields would become a hundred of memory.
  /// - Parameter nested: the number of the field that holds messages, whose fields are counted too.
  func unpack<Message>(
    _ bytes: UnsafeRawBufferPointer, fieldsMax: Int = fieldsMax, nested: UInt64 = 0,
    _ generated: (UnsafeMutablePointer<ProtobufCAllocator>?, Int, UnsafePointer<UInt8>?)
      -> UnsafeMutablePointer<Message>?
  ) -> UnsafeMutablePointer<Message>? {
    var fields = MessageFields(bytes)
    var count = 0
    while let field = fields.next() {
      count += 1
      guard count <= fieldsMax else { return nil }
      if field.number == nested, let inner = field.bytes {
        guard MessageFields.count(inner, max: Self.fieldsMax) else { return nil }
      }
    }
    guard !fields.isMalformed else { return nil }
    return generated(allocator, bytes.count, bytes.assumingMemoryBound(to: UInt8.self).baseAddress)
  }
}

/// Size of a message when encoded, in bytes.  `Message` must be a generated protobuf-c structure.
func encodedBytes<Message>(_ message: inout Message) -> Int {
  withUnsafePointer(to: &message) {
    $0.withMemoryRebound(to: ProtobufCMessage.self, capacity: 1) {
      protobuf_c_message_get_packed_size($0)
    }
  }
}

/// Encodes a message into memory that `encodedBytes` has measured.
func encode<Message>(_ message: inout Message, into memory: UnsafeMutableRawPointer) -> Int {
  withUnsafePointer(to: &message) {
    $0.withMemoryRebound(to: ProtobufCMessage.self, capacity: 1) {
      protobuf_c_message_pack($0, memory.assumingMemoryBound(to: UInt8.self))
    }
  }
}

extension ByteBuffer {
  /// Encodes a message at the end of the buffer.
  mutating func append<Message>(message: inout Message) {
    let size = encodedBytes(&message)
    guard size > 0 else { return }
    advance(encode(&message, into: room(size)))
  }
}

extension ProtobufCBinaryData {
  /// The bytes where they lie: valid as long as the arena they came from.
  var view: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: data, count: len) }
  /// A copy as text.  Where it is not UTF-8, whatever is not ASCII is replaced: the standard library's
  /// repair throws an error inside for each byte, and a peer may send two million of them.
  var text: String {
    guard len > 0 else { return "" }
    if let text = String(validating: view, as: UTF8.self) { return text }
    return String(decoding: view.map { $0 < 0x80 ? $0 : UInt8(ascii: "?") }, as: UTF8.self)
  }
}
