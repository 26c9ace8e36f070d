import ArgumentParser
import RPC
import Wire

/// Makes the calls of one command.
struct Caller {
  let address: Address
  let json: Bool
  let timeoutMs: UInt32

  /// - Throws: `ValidationError` when the address is none.
  init(address text: String, json: Bool, timeoutMs: UInt32) throws {
    guard let address = Address(text) else {
      throw ValidationError("--address: '\(text)' is not host:port and not unix:/path")
    }
    (self.address, self.json, self.timeoutMs) = (address, json, timeoutMs)
  }

  /// Makes one call; a failure is printed, and becomes the exit code.
  func call<Request: RequestMessage & Sendable>(_ request: Request) async throws -> Request.Reply {
    var options = StockClient.Options()
    options.name = "stockctl/\(Release.version)"
    // A person would rather know.
    options.waitsForServer = false
    let client = StockClient(to: address, options: options)
    do throws(Status) {
      let reply = try await client.call(request, timeoutMs: timeoutMs)
      await client.close()
      return reply
    } catch {
      await client.close()
      Output(json: json).failure(error)
      throw ExitReason(error).exit
    }
  }
}
