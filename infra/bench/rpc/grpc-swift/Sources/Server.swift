// stock.v1.Health/Check by grpc-swift-2, without anything behind it.  Prints its port.
//
// One event loop, as the server has one core.  The messages are a few bytes and coded by hand, which
// is less work than generated code does: the comparison leans towards gRPC.

import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Glibc
import NIOPosix

/// What stock.v1.HealthCheckReply says here: SERVING, version "0.1.0".
struct Reply: Sendable {
  var status: UInt8 = 1
  var version = "0.1.0"
}

struct ReplyEncoder: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ reply: Reply) -> Bytes {
    Bytes([1 << 3, reply.status, 3 << 3 | 2, UInt8(reply.version.utf8.count)] + reply.version.utf8)
  }
}

/// A request names a service or nothing; the answer is the same.
struct RequestDecoder: MessageDeserializer {
  func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) -> Int { bytes.count }
}

struct HealthService: RegistrableRPCService {
  func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
    router.registerHandler(
      forMethod: MethodDescriptor(fullyQualifiedService: "stock.v1.Health", method: "Check"),
      deserializer: RequestDecoder(), serializer: ReplyEncoder()
    ) { request, context in
      _ = try await ServerRequest(stream: request)
      return StreamingServerResponse(single: ServerResponse(message: Reply()))
    }
  }
}

@main
enum Program {
  static func main() async throws {
    let transport = HTTP2ServerTransport.Posix(
      address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext,
      eventLoopGroup: MultiThreadedEventLoopGroup(numberOfThreads: 1))
    try await withGRPCServer(transport: transport, services: [HealthService()]) { _ in
      let line = "\(try await transport.listeningAddress.ipv4?.port ?? 0)\n"
      // At once, though it goes into a file: print would wait for more.
      _ = line.withCString { write(STDOUT_FILENO, $0, strlen($0)) }
      // The benchmark ends it with a signal.
      while true { try await Task.sleep(for: .seconds(3600)) }
    }
  }
}
