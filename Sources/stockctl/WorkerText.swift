import Wire

/// How far a worker is, as a person reads it: a name and a value a line.
struct WorkerText {
  private let worker: WorkerState

  init(_ worker: WorkerState) { self.worker = worker }

  var lines: [String] {
    var table: [(String, String)] = [
      ("worker", "\(worker.name), \(worker.lanes) lanes\(worker.ready ? "" : ", not ready")"),
      ("redis", worker.redisDown.isEmpty ? "open" : worker.redisDown),
      ("postgresql", worker.postgresDown.isEmpty ? "open" : worker.postgresDown),
      ("waiting", "\(worker.lagEntries) entries, and \(worker.pendingEntries) at a worker"),
      ("oldest", StateText.age(worker.oldestAgeMs)),
      ("applied to", worker.appliedTo),
      ("stream", "\(worker.streamEntries) entries"),
      ("dead letters", "\(worker.deadLetters)"),
    ]
    for (name, groups) in [
      ("unknown groups", worker.unknownGroups), ("missing groups", worker.missingGroups),
      ("stalled groups", worker.stalledGroups),
    ] where !groups.isEmpty {
      table.append((name, groups.joined(separator: ", ")))
    }
    if let audit = worker.audit {
      let what = [audit.verdict, audit.kinds, audit.undecided].filter { !$0.isEmpty }
      table.append(("audit", what.joined(separator: ", ") + ", by \(audit.worker)"))
    }
    let width = table.map(\.0.count).max() ?? 0
    return table.map { name, value in
      name + String(repeating: " ", count: width - name.count + 2) + value
    }
  }
}
