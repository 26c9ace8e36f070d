public import FoundationEssentials

/// The effective settings of a daemon: file, then environment, then flags, the later wins.
///
/// Ask for each setting once, then call `finish`, which refuses what nobody has asked for.
public struct Configuration {
  private let path: String
  private let environment: [String: String]
  private var fileValues: [String: SettingsFile.Entry] = [:]
  private var lines: [(name: String, value: String, origin: Origin)] = []

  /// - Parameters:
  ///   - file: the file that the user named; it must exist.
  ///   - usualFile: read when the user names none, if it exists.
  public init(
    file: String?, usualFile: String,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws(SettingError) {
    path = file ?? usualFile
    self.environment = environment
    guard FileManager.default.fileExists(atPath: path) else {
      if let file { throw SettingError("\(file): there is no such file") }
      return
    }
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
      throw SettingError("\(path): cannot be read as UTF-8 text")
    }
    fileValues = try SettingsFile(text, path: path).entries
  }

  /// The value of one setting.
  /// - Parameter flag: what the command line says.
  public mutating func value<Value>(
    of setting: Setting<Value>, flag: String?
  ) throws(SettingError) -> Value {
    let inFile = fileValues.removeValue(forKey: setting.name)
    let (text, origin) = found(setting, flag, inFile)
    let place =
      switch origin {
      case .flag(let name): "--\(name)"
      case .environment(let name): name
      case .file(let path, let line): "\(path):\(line): \(setting.name)"
      case .standard: "the default of \(setting.name)"
      }
    // The value itself is not repeated: it may be a secret with a typing error in it.
    guard let value = setting.parse(text) else {
      throw SettingError("\(place) must be \(setting.rule)")
    }
    if case .flag = origin, setting.isSecret(value) {
      throw SettingError(
        "\(place) holds a password, and anyone may read a command line: "
          + "put it into the file or into \(setting.variable)")
    }
    lines.append((setting.name, setting.show(value), origin))
    return value
  }

  /// Refuses what stands in the file and is no setting.
  public func finish() throws(SettingError) {
    guard let (name, value) = fileValues.min(by: { $0.value.line < $1.value.line }) else { return }
    throw SettingError("\(path):\(value.line): \(name) is not a setting of this program")
  }

  /// Every setting that was asked for, in that order, without secrets.
  public var inForce: [(name: String, value: String, origin: Origin)] { lines }

  /// Every setting with its value and where it came from, without secrets.
  public var report: String {
    let names = lines.map(\.name.count).max() ?? 0
    let values = lines.map(\.value.count).max() ?? 0
    return lines.map { name, value, origin in
      let pad = String(repeating: " ", count: names - name.count)
      let space = String(repeating: " ", count: values - value.count)
      return "\(name): \(pad)\(value)\(space)  # \(origin)"
    }.joined(separator: "\n")
  }

  private func found<Value>(
    _ setting: Setting<Value>, _ flag: String?, _ inFile: SettingsFile.Entry?
  ) -> (String, Origin) {
    if let flag { return (flag, .flag(setting.name)) }
    if let text = environment[setting.variable], !text.isEmpty {
      return (text, .environment(setting.variable))
    }
    if let inFile { return (inFile.text, .file(path, line: inFile.line)) }
    return (setting.standard, .standard)
  }
}
