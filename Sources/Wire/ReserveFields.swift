import CStockProto

/// What a `ReserveRequest` says, where it lies.
///
/// Read by hand, since nearly every request is one: protobuf-c makes a structure of every message,
/// which was a tenth of a call.
struct ReserveFields {
  private(set) var sku = UnsafeRawBufferPointer(start: nil, count: 0)
  private(set) var qty: UInt64 = 0
  private(set) var user = UnsafeRawBufferPointer(start: nil, count: 0)
  private(set) var key = UnsafeRawBufferPointer(start: nil, count: 0)
  private(set) var ttlMs: UInt64 = 0
  private(set) var acknowledge = Stock__V1__Acknowledge(rawValue: 0)

  init(_ message: UnsafeRawBufferPointer) throws(Status) {
    var fields = MessageFields(message)
    var count = 0
    while let field = fields.next() {
      count += 1
      guard count <= Arena.fieldsMax else { throw .malformedMessage }
      switch (field.number, field.varint, field.bytes) {
      case (1, _, let bytes?): sku = bytes
      case (2, let number?, _): qty = number
      case (3, _, let bytes?): user = bytes
      case (4, _, let bytes?): key = bytes
      case (5, let number?, _): ttlMs = number
      case (6, let number?, _):
        acknowledge = Stock__V1__Acknowledge(rawValue: UInt32(truncatingIfNeeded: number))
      case (1...6, _, _): throw .malformedMessage
      default: break
      }
    }
    guard !fields.isMalformed else { throw .malformedMessage }
  }
}
