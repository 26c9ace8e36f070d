public import RPC

// Where a daemon listens, and who may connect: the same for every daemon but for names and defaults.

extension Setting where Value == [Address] {
  /// `listen`: addresses with commas between.
  /// - Parameter nowhere: what a user writes for no address at all; nil: there must be one.
  public static func listen(
    variable: String, standard: String, nowhere: String? = nil
  ) -> Setting {
    Setting(
      "listen", variable: variable, standard: standard,
      rule: "host:port or unix:/path, with commas between" + (nowhere.map { ", or \($0)" } ?? ""),
      parse: { text in
        if text == nowhere { return [] }
        let parts = text.split(separator: ",").map { Address(String($0.drop { $0 == " " })) }
        return parts.isEmpty || parts.contains(nil) ? nil : parts.compactMap { $0 }
      },
      show: { $0.isEmpty ? nowhere ?? "" : $0.map(\.description).joined(separator: ",") })
  }
}

extension Setting where Value == UInt32 {
  /// `socket-mode`: of a Unix socket.
  public static func socketMode(variable: String) -> Setting {
    Setting(
      "socket-mode", variable: variable, standard: "660", rule: "octal, 000 to 777",
      parse: { text in UInt32(text, radix: 8).flatMap { $0 <= 0o777 ? $0 : nil } },
      show: { String($0, radix: 8) })
  }
}

extension Setting where Value == SocketOwner? {
  /// `socket-owner`: of a Unix socket.
  public static func socketOwner(variable: String) -> Setting {
    Setting(
      "socket-owner", variable: variable, standard: "",
      rule: "user, user:group or :group, each a number or a name that this machine knows",
      parse: { text in text.isEmpty ? .some(nil) : SocketOwner(text).map { .some($0) } },
      show: { $0?.description ?? "''" })
  }
}
