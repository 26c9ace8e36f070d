/// What all programs of one build have in common.
public enum Release {
  /// The version, as `--version` and the health check say it.
  public static let version = "0.1.0"
}
