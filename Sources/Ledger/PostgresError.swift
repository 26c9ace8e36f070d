/// What PostgreSQL, or the way to it, could not do.  The texts hold no values of rows and no secrets.
public enum PostgresError: Error, Hashable, CustomStringConvertible {
  /// There is no connection, or it died.  Whether a running statement or commit took effect is
  /// unknown.
  case lost(String)
  /// The statement was refused and has had no effect.
  case statement(sqlState: String, message: String)
  /// The server answers, and the books cannot be kept over this connection, for this reason.
  case unfit(String)

  /// The same rows would fail anywhere and at any time.  Everything else is the state of the server
  /// and may pass: a lost connection, a deadlock, a full disk, a shutdown, missing rights.
  public var isFaultOfData: Bool {
    guard case .statement(let sqlState, _) = self else { return false }
    // Data exception, integrity constraint, WITH CHECK OPTION, a row too long for its index, and what
    // a trigger raises.
    return ["22", "23", "44", "54", "P0"].contains(String(sqlState.prefix(2)))
  }

  /// A row with that key is there already.
  var isUniqueViolation: Bool {
    guard case .statement("23505", _) = self else { return false }
    return true
  }

  /// The events are of another Redis than the one that the books have opened to the sale.
  public var isOfAnotherRedis: Bool {
    guard case .statement("ST001", _) = self else { return false }
    return true
  }

  /// The connection is of no more use: make another.
  public var isOfConnection: Bool {
    if case .statement = self { false } else { true }
  }

  /// For the log.
  public var description: String {
    switch self {
    case .lost(let reason), .unfit(let reason): reason
    case .statement(let sqlState, let message): "\(message) (\(sqlState))"
    }
  }
}
