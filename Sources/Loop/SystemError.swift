import Glibc

/// A system call that failed.
public struct SystemError: Error, CustomStringConvertible {
  /// Which call; all there is to say, where the error is no errno.
  public let call: String
  /// Its errno, or 0.
  public let code: Int32

  /// Somebody else has the address: EADDRINUSE.
  public static let addressInUse = EADDRINUSE

  /// An error from its parts.
  public init(_ call: String, _ code: Int32) {
    self.call = call
    self.code = code
  }

  /// "bind: Address already in use"
  public var description: String {
    code == 0 ? call : "\(call): \(String(cString: strerror(code)))"
  }

  /// Turns the shim's negative errno into a throw.
  @discardableResult
  static func check(_ call: String, _ result: Int32) throws(SystemError) -> Int32 {
    guard result >= 0 else { throw SystemError(call, -result) }
    return result
  }
}
