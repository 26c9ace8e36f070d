import ArgumentParser
import RPC
import Wire

/// Makes the calls of one command: each on a connection of its own, or many on one.
struct Caller {
  private let endpoint: Endpoint
  private let json: Bool
  /// nil: each call makes one.
  private var kept: StockClient?

  init(_ endpoint: Endpoint, json: Bool) { (self.endpoint, self.json) = (endpoint, json) }

  /// What a client of this program calls itself, and how it waits.
  static var options: StockClient.Options {
    var options = StockClient.Options()
    options.name = "stockctl/\(Release.version)"
    return options
  }

  private func connect() -> StockClient {
    var options = Self.options
    // A person would rather know.
    options.waitsForServer = false
    return StockClient(to: endpoint.address, options: options)
  }

  /// Does something whose calls share a connection.
  func keepingConnection(_ body: (Caller) async throws -> Void) async throws {
    let client = connect()
    var caller = self
    caller.kept = client
    do { try await body(caller) } catch {
      await client.close()
      throw error
    }
    await client.close()
  }

  /// Makes one call whose failure says nothing.
  /// - Returns: nil: it failed.
  func ask<Request: RequestMessage & Sendable>(_ request: Request) async -> Request.Reply? {
    let client = kept ?? connect()
    let reply = try? await client.call(request, timeoutMs: endpoint.timeoutMs)
    if kept == nil { await client.close() }
    return reply
  }

  /// Makes one call; a failure is printed, and becomes the exit code.
  /// - Parameter reading: what a failure means for this call.
  func call<Request: RequestMessage & Sendable>(
    _ request: Request, reading: (Status) -> Status = { $0 }
  ) async throws -> Request.Reply {
    let client = kept ?? connect()
    let waiting = Progress(
      "waiting for \(endpoint.address)", .answer(withinMs: UInt64(endpoint.timeoutMs)))
    defer { waiting.finish() }
    do throws(Status) {
      let reply = try await client.call(request, timeoutMs: endpoint.timeoutMs)
      if kept == nil { await client.close() }
      return reply
    } catch {
      if kept == nil { await client.close() }
      let status = reading(error)
      Output(json: json).failure(status)
      throw ExitReason(status).exit
    }
  }
}
