/// The contracts that this version was built from, as `proto/generate.sh` has packed them.
public enum Contracts {
  /// A `stock.v1.DescribeReply`, encoded.
  public static var describeReply: [UInt8] { PackageResources.describe_reply_binpb }
}
