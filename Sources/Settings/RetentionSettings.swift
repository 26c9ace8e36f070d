import Inventory

// How long Redis remembers what has ended: the same for the server that forgets and the worker that rebuilds.

extension Setting where Value == UInt64 {
  /// Of a confirmed hold.
  public static var retentionMs: Setting {
    .number(
      "retention-ms", variable: "STOCK_RETENTION_MS", standard: Limits.retentionMsDefault,
      in: Limits.retentionMs, unit: "milliseconds (one minute to ninety days)")
  }

  /// Of a hold that has expired or was cancelled.
  public static var retentionReleasedMs: Setting {
    .number(
      "retention-released-ms", variable: "STOCK_RETENTION_RELEASED_MS",
      standard: Limits.retentionReleasedMsDefault, in: Limits.retentionMs,
      unit: "milliseconds (one minute to ninety days)")
  }
}
