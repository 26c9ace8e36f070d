import CStockProto
public import Inventory

/// Fields of a reply that is read here: `AuditLimits.differencesMax`, or as many entries, and the rest.
private let replyFieldsMax = 4_096

extension DifferenceInfo {
  fileprivate func message(_ arena: Arena) -> Stock__V1__Difference {
    var message = Stock__V1__Difference()
    stock__v1__difference__init(&message)
    message.kind = arena.bytes(kind)
    message.sku = arena.bytes(sku)
    message.hold = arena.bytes(hold)
    message.found = arena.bytes(found)
    message.n_letters = letters.count
    message.letters = arena.list(letters.map { arena.bytes($0) })
    return message
  }

  fileprivate init(_ message: Stock__V1__Difference) {
    self.init(
      kind: message.kind.text, sku: message.sku.text, hold: message.hold.text,
      found: message.found.text, letters: texts(message.n_letters, message.letters))
  }
}

extension RunAuditRequest {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__RunAuditRequest()
    stock__v1__run_audit_request__init(&message)
    message.run = run
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) {
    guard let message = arena.unpack(bytes, stock__v1__run_audit_request__unpack) else {
      throw .malformedMessage
    }
    run = message.pointee.run
  }
}

extension RunAuditReply {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__RunAuditReply()
    stock__v1__run_audit_reply__init(&message)
    message.verdict = arena.bytes(verdict)
    message.undecided = arena.bytes(undecided)
    message.at = at
    message.up_to = arena.bytes(upTo)
    message.n_differences = differences.count
    message.differences = arena.pointers(differences) { $0.message(arena) }
    message.n_counts = counts.count
    message.counts = arena.pointers(counts) { count in
      var message = Stock__V1__DifferenceCount()
      stock__v1__difference_count__init(&message)
      message.kind = arena.bytes(count.kind)
      message.count = UInt64(count.count)
      return message
    }
    message.explained = UInt64(explained)
    message.skus = UInt64(skus)
    message.records = UInt64(records)
    message.rows = UInt64(rows)
    message.took_ms = tookMs
    message.run = run
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard
      let message = arena.unpack(
        bytes, fieldsMax: replyFieldsMax, stock__v1__run_audit_reply__unpack)
    else { throw MessageError() }
    let found = message.pointee
    verdict = found.verdict.text
    undecided = found.undecided.text
    at = found.at
    upTo = found.up_to.text
    differences = values(found.n_differences, found.differences) { DifferenceInfo($0) }
    counts = values(found.n_counts, found.counts) {
      Count(kind: $0.kind.text, count: Int(clamping: $0.count))
    }
    explained = Int(clamping: found.explained)
    skus = Int(clamping: found.skus)
    records = Int(clamping: found.records)
    rows = Int(clamping: found.rows)
    tookMs = found.took_ms
    run = found.run
  }
}

extension PlanRepairRequest {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__PlanRepairRequest()
    stock__v1__plan_repair_request__init(&message)
    message.sku = arena.bytes(sku)
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public static func sku(
    _ bytes: UnsafeRawBufferPointer, arena: Arena
  ) throws(Status) -> SKU {
    guard let message = arena.unpack(bytes, stock__v1__plan_repair_request__unpack) else {
      throw .malformedMessage
    }
    return try checkedSKU(message.pointee.sku)
  }
}

extension PlanRepairReply {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__PlanRepairReply()
    stock__v1__plan_repair_reply__init(&message)
    message.plan = arena.bytes(plan)
    message.n_differences = differences.count
    message.differences = arena.pointers(differences) { $0.message(arena) }
    message.n_entries = entries.count
    message.entries = arena.list(entries.map { arena.bytes($0) })
    message.n_refusals = refusals.count
    message.refusals = arena.list(refusals.map { arena.bytes($0) })
    message.n_advice = advice.count
    message.advice = arena.list(advice.map { arena.bytes($0) })
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard
      let message = arena.unpack(
        bytes, fieldsMax: replyFieldsMax, stock__v1__plan_repair_reply__unpack)
    else { throw MessageError() }
    let found = message.pointee
    plan = found.plan.text
    differences = values(found.n_differences, found.differences) { DifferenceInfo($0) }
    entries = texts(found.n_entries, found.entries)
    refusals = texts(found.n_refusals, found.refusals)
    advice = texts(found.n_advice, found.advice)
  }
}

/// What a valid `RepairRequest` asks for.
public struct WantedRepair: Sendable {
  /// Of what.
  public let sku: SKU
  /// The id of the dry run.
  public let plan: String
  /// Who.
  public let actor: Label
  /// Why.
  public let reason: Label

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws(Status) {
    guard let message = arena.unpack(bytes, stock__v1__repair_request__unpack) else {
      throw .malformedMessage
    }
    sku = try checkedSKU(message.pointee.sku)
    plan = message.pointee.plan.text
    actor = try checkedLabel(message.pointee.actor, "actor")
    reason = try checkedLabel(message.pointee.reason, "reason")
  }
}

extension RepairRequest {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__RepairRequest()
    stock__v1__repair_request__init(&message)
    message.sku = arena.bytes(sku)
    message.plan = arena.bytes(plan)
    message.actor = arena.bytes(actor)
    message.reason = arena.bytes(reason)
    buffer.append(message: &message)
  }
}

extension RepairReply {
  /// Appends the encoded message.
  public func encode(into buffer: inout ByteBuffer, arena: Arena) {
    var message = Stock__V1__RepairReply()
    stock__v1__repair_reply__init(&message)
    message.n_written = written.count
    message.written = arena.list(written.map { arena.bytes($0) })
    message.stopped_at = arena.bytes(stoppedAt)
    message.undecided = arena.bytes(undecided)
    message.n_left = left.count
    message.left = arena.pointers(left) { $0.message(arena) }
    buffer.append(message: &message)
  }

  /// Decodes a message.
  public init(_ bytes: UnsafeRawBufferPointer, arena: Arena) throws {
    guard
      let message = arena.unpack(bytes, fieldsMax: replyFieldsMax, stock__v1__repair_reply__unpack)
    else { throw MessageError() }
    written = texts(message.pointee.n_written, message.pointee.written)
    stoppedAt = message.pointee.stopped_at.text
    undecided = message.pointee.undecided.text
    left = values(message.pointee.n_left, message.pointee.left) { DifferenceInfo($0) }
  }
}

private func checkedSKU(_ bytes: ProtobufCBinaryData) throws(Status) -> SKU {
  guard let sku = SKU(bytes.view) else {
    throw .invalid("sku", "1 to \(Limits.skuBytesMax) bytes of A-Z a-z 0-9 . _ - /")
  }
  return sku
}
