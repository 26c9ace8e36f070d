import ArgumentParser
import FoundationEssentials
import Wire

/// `stockctl describe`
struct DescribeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "describe", abstract: "Lists the methods of the server, from its own contracts.",
    discussion: """
      With --out, also writes the .proto files and descriptors.binpb, a FileDescriptorSet, with which \
      any protobuf library can speak to this server.
      """)

  @OptionGroup var server: ServerOptions
  @Option(help: "The folder to write into; made if it is not there.")
  var out: String?

  func run() async throws {
    let reply = try await server.call(DescribeRequest())
    let methods = reply.descriptors.withUnsafeBytes { DescribedMethod.all(in: $0) }
    if server.json {
      for method in methods { Output(json: true).print(method.fields) }
    } else {
      var service = Substring()
      for method in methods {
        let parts = method.name.split(separator: "/", maxSplits: 1)
        if parts[0] != service { StandardOutput.line(String(parts[0])) }
        service = parts[0]
        let reply = (method.isStream ? "stream " : "") + method.reply
        StandardOutput.line("  \(parts[1])(\(method.request)) → \(reply)")
      }
    }
    if let out { try write(reply, into: out) }
  }

  private func write(_ reply: DescribeReply, into folder: String) throws {
    try write(Data(reply.descriptors), folder, "descriptors.binpb")
    for file in reply.files {
      // The names come from the server: they must not leave the folder.
      let parts = file.name.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.allSatisfy({ !["", ".", ".."].contains($0) }), !file.name.contains("\0") else {
        throw ValidationError(
          "the server names a file '\(file.name)', which is no name to write to")
      }
      try write(Data(file.text.utf8), folder, file.name)
    }
  }

  private func write(_ bytes: Data, _ folder: String, _ name: String) throws {
    let path = "\(folder)/\(name)"
    guard let end = path.lastIndex(of: "/") else { return }
    do {
      try FileManager.default.createDirectory(
        atPath: String(path[..<end]), withIntermediateDirectories: true)
      try bytes.write(to: URL(filePath: path))
    } catch {
      throw ValidationError("--out: \(path) cannot be written")
    }
  }
}

extension DescribedMethod {
  fileprivate var fields: Output.Fields {
    [
      ("method", .text(name)), ("request", .text(request)), ("reply", .text(reply)),
      ("stream", .flag(isStream)),
    ]
  }
}
