import CStockProto
import Inventory

/// The fields of an event as they stand there, right or wrong: for a person who looks at one that could
/// not be applied.
public struct ReadableEvent: Sendable {
  /// A value as JSON has it.
  public enum Value: Sendable, Hashable {
    case text(String)
    case number(Int64)
  }

  /// In the order of `events.proto`, with its names; a field that is not there is left out.
  public private(set) var fields: [(name: String, value: Value)] = []

  /// - Parameter type: decides by its beginning, HOLD_ or STOCK_, which message it is: a newer server
  ///   may have types of its own.
  /// - Returns: nil when the bytes are no such message.
  public init?(type: String, _ bytes: UnsafeRawBufferPointer, arena: Arena) {
    if type.hasPrefix("HOLD_"), let message = arena.unpack(bytes, stock__v1__hold_event__unpack) {
      take(message.pointee)
    } else if type.hasPrefix("STOCK_"),
      let message = arena.unpack(bytes, stock__v1__stock_event__unpack)
    {
      take(message.pointee)
    } else {
      return nil
    }
  }

  private mutating func take(_ event: Stock__V1__HoldEvent) {
    add("hold", event.hold)
    if event.created_at > 0 { fields.append(("hold_id", .text(holdID(event)))) }
    add("user_id", event.user_id)
    add("idempotency_key", event.idempotency_key)
    for place in 0..<event.n_lines {
      guard let line = event.lines[place]?.pointee else { continue }
      add("sku", line.sku)
      add("qty", line.qty)
    }
    let status = HoldStatus(rawValue: UInt8(truncatingIfNeeded: event.status.rawValue))
    fields.append(("status", .text(status?.name ?? "\(event.status.rawValue)")))
    add("version", event.version)
    add("created_at", event.created_at)
    add("changed_at", event.changed_at)
    add("expires_at", event.expires_at)
    add("payment_ref", event.payment_ref)
    add("reason", event.reason)
    add("actor", event.actor)
  }

  private mutating func take(_ event: Stock__V1__StockEvent) {
    add("sku", event.sku)
    add("request_id", event.request_id)
    add("version", event.version)
    add("changed_at", event.changed_at)
    add("available", event.available, always: true)
    add("held", event.held, always: true)
    add("sold", event.sold, always: true)
    add("supplied", event.supplied, always: true)
    fields.append(("delta", .number(event.delta)))
    add("retired", UInt64(event.retired))
    add("reason", event.reason)
    add("actor", event.actor)
  }

  private func holdID(_ event: Stock__V1__HoldEvent) -> String {
    "\(event.hold.text)-\(event.created_at)"
  }

  private mutating func add(_ name: String, _ bytes: ProtobufCBinaryData) {
    if bytes.len > 0 { fields.append((name, .text(bytes.text))) }
  }

  private mutating func add(_ name: String, _ number: UInt64, always: Bool = false) {
    if number > 0 || always { fields.append((name, .number(Int64(clamping: number)))) }
  }
}
