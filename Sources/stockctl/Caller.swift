import ArgumentParser
import RPC
import Wire

/// Makes the calls of one command.
struct Caller {
  private let endpoint: Endpoint
  private let json: Bool

  init(_ endpoint: Endpoint, json: Bool) { (self.endpoint, self.json) = (endpoint, json) }

  /// What a client of this program calls itself, and how it waits.
  static var options: StockClient.Options {
    var options = StockClient.Options()
    options.name = "stockctl/\(Release.version)"
    return options
  }

  /// Makes one call; a failure is printed, and becomes the exit code.
  /// - Parameter reading: what a failure means for this call.
  func call<Request: RequestMessage & Sendable>(
    _ request: Request, reading: (Status) -> Status = { $0 }
  ) async throws -> Request.Reply {
    var options = Self.options
    // A person would rather know.
    options.waitsForServer = false
    let client = StockClient(to: endpoint.address, options: options)
    let waiting = Progress(
      "waiting for \(endpoint.address)", .answer(withinMs: UInt64(endpoint.timeoutMs)))
    defer { waiting.finish() }
    do throws(Status) {
      let reply = try await client.call(request, timeoutMs: endpoint.timeoutMs)
      await client.close()
      return reply
    } catch {
      await client.close()
      let status = reading(error)
      Output(json: json).failure(status)
      throw ExitReason(status).exit
    }
  }
}
