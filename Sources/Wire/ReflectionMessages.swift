import CStockProto

/// Asks for the contracts that the server was built from.
public struct DescribeRequest: RequestMessage, Sendable {
  /// See `RequestMessage`.
  public typealias Reply = DescribeReply
  /// See `RequestMessage`.
  public static let method = "stock.v1.Reflection/Describe"

  /// A request without fields.
  public init() {}

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {}
}

/// The contracts of a server: how the server says them, and how a client reads them.
public struct DescribeReply: ReplyMessage, Sendable, Hashable {
  /// One `.proto` file.
  public struct File: Sendable, Hashable {
    /// As it is imported: "stock/v1/stock.proto".
    public let name: String
    /// The file itself.
    public let text: String
  }

  /// The whole message, encoded.
  private let encoded: [UInt8]
  /// A `google.protobuf.FileDescriptorSet`, encoded.
  public let descriptors: [UInt8]
  /// The files, in the order of their names.
  public let files: [File]

  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    encoded.withUnsafeBytes { buffer.append($0) }
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard
      let message = arena.unpack(bytes, fieldsMax: 1_024, stock__v1__describe_reply__unpack)
    else { throw MessageError() }
    encoded = Array(bytes)
    descriptors = Array(message.pointee.descriptors.view)
    files = (0..<message.pointee.n_files).compactMap { place in
      message.pointee.files[place].map {
        File(name: $0.pointee.name.text, text: $0.pointee.text.text)
      }
    }
  }
}

/// One method as the descriptors have it.
public struct DescribedMethod: Sendable, Hashable {
  /// "stock.v1.Stock/Get"
  public let name: String
  /// The message that it takes: "stock.v1.GetStockRequest".
  public let request: String
  /// The message that it answers with.
  public let reply: String
  /// It answers with a stream.
  public let isStream: Bool

  /// Every method of a `google.protobuf.FileDescriptorSet`, in the order of the files.  The numbers
  /// are the fields of https://github.com/protocolbuffers/protobuf/blob/v3.21.12/src/google/protobuf/descriptor.proto.
  public static func all(in descriptorSet: UnsafeRawBufferPointer) -> [DescribedMethod] {
    messages(1, of: descriptorSet).flatMap { file in
      let package = text(2, of: file)
      return messages(6, of: file).flatMap { service in
        let path = (package.isEmpty ? "" : package + ".") + text(1, of: service)
        return messages(2, of: service).map { method in
          DescribedMethod(
            name: "\(path)/\(text(1, of: method))", request: type(2, of: method),
            reply: type(3, of: method), isStream: fields(6, of: method).count > 0)
        }
      }
    }
  }

  private static func fields(
    _ number: UInt64, of message: UnsafeRawBufferPointer
  ) -> [MessageFields.Field] {
    var fields = MessageFields(message)
    var found: [MessageFields.Field] = []
    while let field = fields.next() {
      if field.number == number { found.append(field) }
    }
    return found
  }

  private static func messages(
    _ number: UInt64, of message: UnsafeRawBufferPointer
  ) -> [UnsafeRawBufferPointer] {
    fields(number, of: message).compactMap(\.bytes)
  }

  private static func text(_ number: UInt64, of message: UnsafeRawBufferPointer) -> String {
    messages(number, of: message).last.map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// A type's name, which begins with a dot there.
  private static func type(_ number: UInt64, of message: UnsafeRawBufferPointer) -> String {
    String(text(number, of: message).drop { $0 == "." })
  }
}
