import Logging

// Reads how full Redis is, and says so once when something begins or ends.
extension Store {
  /// Reads it twice a second from now on.
  func checkMemory() {
    loop.after(ms: Self.memoryCheckMs) { [weak self] in
      guard let self else { return }
      checkMemory()
      guard isOpen else { return }
      askForStream()
      askForSettings()
    }
  }

  private func askForStream() {
    var (bytes, entries): (Int64?, Int64?)
    link.send(["MEMORY", "USAGE", keys.events]) { bytes = $0?.integer }
    link.send(["XLEN", keys.events]) { entries = $0?.integer }
    link.send(StreamGroup.question(about: keys)) { [weak self] reply in
      guard let self, let reply, let bytes, let entries else { return }
      let group = Backlog.group(KeySpace.group, in: reply)
      hasBooks = group != nil
      memory.heard(MemoryJudge.Stream(bytes: bytes, entries: entries, group: group))
    }
    link.send(WorkerSilence.question(about: keys)) { [weak self] reply in
      guard let self, let reply else { return }
      workerSilence.heard(reply, at: loop.now, logger)
    }
  }

  /// Judges what INFO has just said of the memory.
  func judgeMemory(_ info: RedisInfo) {
    guard let found = RedisMemory(info) else { return }
    let before = memory
    memory.judge(found)
    tell(before, found)
    if memory.wantsForgettable(at: loop.now) { askForForgettable() }
  }

  private func askForForgettable() {
    let text = String(decoding: PackageResources.forgettable_lua, as: UTF8.self)
    link.send(
      [
        "EVAL", text, "3", keys.endedCounts, keys.confirmed, keys.released,
        "\(settings.retentionFloorMs)",
      ]
    ) { [weak self] reply in
      guard let self, let reply, reply.error == nil else { return }
      memory.note(forgettable: reply.integer, at: loop.now)
    }
  }

  private func tell(_ before: MemoryJudge, _ found: RedisMemory) {
    let figures: Logger.Metadata = [
      "used_bytes": "\(found.usedBytes)", "limit_bytes": "\(found.limitBytes)",
      "backlog_bytes": "\(memory.backlog?.bytes ?? 0)",
      "backlog_limit_bytes": "\(memory.backlogLimit(of: found))",
    ]
    if memory.placing != before.placing {
      if let refusal = memory.placing.refusal {
        logger.error("ALARM: \(refusal)", metadata: figures)
      } else {
        logger.notice("new holds may begin again", metadata: figures)
      }
    }
    if (memory.minutesLeft == nil) != (before.minutesLeft == nil) {
      if let minutes = memory.minutesLeft {
        logger.error(
          "ALARM: redis's memory is full in about \(Int(minutes.rounded(.up))) min at this rate",
          metadata: figures)
      } else if memory.placing == .yes {
        logger.notice("redis's memory is not about to be full any more", metadata: figures)
      }
    }
    if memory.isShort != before.isShort {
      if memory.isShort {
        logger.warning(
          "DEGRADED: redis is short of memory: what has ended is remembered for less time",
          metadata: figures)
      } else {
        logger.notice("redis has memory again: what has ended is remembered", metadata: figures)
      }
    }
  }
}
