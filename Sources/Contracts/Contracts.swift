/// The contracts that this version was built from, as `proto/generate.sh` has packed them: each a
/// `stock.v1.DescribeReply`, encoded.
public enum Contracts {
  /// What stockd serves.
  public static var ofServer: [UInt8] { PackageResources.describe_server_binpb }
  /// What stockworker serves.
  public static var ofWorker: [UInt8] { PackageResources.describe_worker_binpb }
}
