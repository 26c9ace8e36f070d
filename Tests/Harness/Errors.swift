/// What went wrong while starting, watching or stopping something for a test.
public struct HarnessError: Error, CustomStringConvertible {
  /// One sentence, with what the process printed where that helps.
  public let description: String

  /// An error with its sentence.
  public init(_ description: String) {
    self.description = description
  }
}
