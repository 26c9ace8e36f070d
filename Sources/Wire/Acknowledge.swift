import CStockProto
public import Inventory

/// What a request asks for, with the level that its caller wants it acknowledged at.
public struct Asked<Value> {
  /// What is asked for.
  public let value: Value
  /// nil: the caller names none.
  public let level: Acknowledgement?

  init(_ value: Value, at level: Stock__V1__Acknowledge) throws(Status) {
    self.value = value
    self.level = Acknowledgement(level)
    guard level.rawValue == 0 || self.level != nil else {
      throw .invalid("acknowledge", "MEMORY, FSYNC, REPLICA or LEDGER, or left out")
    }
  }

  private init(_ value: Value, _ level: Acknowledgement?) {
    (self.value, self.level) = (value, level)
  }

  /// The same level for what is made of the value.
  public func map<Other>(_ transform: (Value) -> Other) -> Asked<Other> {
    Asked<Other>(transform(value), level)
  }
}

extension Acknowledgement {
  /// nil: none is named, or one that this version does not know.
  init?(_ level: Stock__V1__Acknowledge) {
    guard let number = UInt8(exactly: level.rawValue), let level = Self(rawValue: number) else {
      return nil
    }
    self = level
  }
}

extension Acknowledgement? {
  var onTheWire: Stock__V1__Acknowledge {
    Stock__V1__Acknowledge(rawValue: numericCast(self?.rawValue ?? 0))
  }
}
