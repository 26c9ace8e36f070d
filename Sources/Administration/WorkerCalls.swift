import Loop
import RPC
import Wire

// The calls whose work is done elsewhere: decode and check here, hand on, answer when it is done.
extension WorkerServer {
  func addDeadLetters(to methods: inout MethodTable) {
    methods.on(ListDeadLettersRequest.method) { (call) throws(Status) in
      let request = try ListDeadLettersRequest(call.message, arena: call.arena)
      try self.work(for: call) { [desk = self.desk] () async throws(Status) in
        try await desk.list(request)
      }
    }
    methods.on(ShowDeadLetterRequest.method) { (call) throws(Status) in
      let request = try ShowDeadLetterRequest(call.message, arena: call.arena)
      try self.work(for: call) { [desk = self.desk] () async throws(Status) in
        try await desk.show(request)
      }
    }
    methods.on(ReplayDeadLettersRequest.method) { (call) throws(Status) in
      let request = try ReplayDeadLettersRequest(call.message, arena: call.arena)
      let deadline = call.deadline
      try self.work(for: call) { [desk = self.desk] () async throws(Status) in
        try await desk.replay(request, deadline: deadline)
      }
    }
    methods.on(DiscardDeadLettersRequest.method) { (call) throws(Status) in
      let request = try DiscardDeadLettersRequest(call.message, arena: call.arena)
      let peer = "\(call.peer)"
      try self.work(for: call) { [desk = self.desk] () async throws(Status) in
        try await desk.discard(request, peer: peer)
      }
    }
  }

  func addAudit(to methods: inout MethodTable) {
    methods.on(RunAuditRequest.method) { (call) throws(Status) in
      let request = try RunAuditRequest(call.message, arena: call.arena)
      let deadline = call.deadline
      try self.work(for: call) { [audits = self.audits] () async throws(Status) in
        try await audits.reply(to: request.run, deadline: deadline)
      }
    }
    methods.on(PlanRepairRequest.method) { (call) throws(Status) in
      let sku = try PlanRepairRequest.sku(call.message, arena: call.arena)
      try self.work(for: call) { [auditor = self.auditor] () async throws(Status) in
        try await auditor.plan(for: sku)
      }
    }
    methods.on(RepairRequest.method) { (call) throws(Status) in
      let wanted = try WantedRepair(call.message, arena: call.arena)
      try self.work(for: call) { [auditor = self.auditor] () async throws(Status) in
        try await auditor.repair(wanted)
      }
    }
  }

  func addRecords(to methods: inout MethodTable) {
    methods.on(ListHoldsRequest.method) { (call) throws(Status) in
      let wanted = try WantedHolds(call.message, arena: call.arena)
      try self.work(for: call) { [records = self.records] () async throws(Status) in
        try await records.list(wanted)
      }
    }
    methods.on(HistoryRequest.method) { (call) throws(Status) in
      let wanted = try WantedHistory(call.message, arena: call.arena)
      try self.work(for: call) { [records = self.records] () async throws(Status) in
        try await records.history(wanted)
      }
    }
  }

  /// Answers with what the work comes to.  It is not begun after the call's deadline, nor when its
  /// caller has gone.
  func work<Reply: ReplyMessage & Sendable>(
    for call: Call, _ body: @escaping @Sendable () async throws(Status) -> Reply
  ) throws(Status) {
    let number = try open.begin(call)
    let deadline = call.deadline
    open.cancelling(
      number,
      Task {
        let result: Result<Reply, Status>
        do throws(Status) {
          if Task.isCancelled { throw .callCancelled }
          if monotonicNow() > deadline { throw .callTooLate }
          result = .success(try await body())
        } catch {
          result = .failure(error)
        }
        open.answer(number, result)
      })
  }
}

extension Status {
  fileprivate static let callCancelled = Status(
    .cancelled, reason: "CANCELLED",
    message: "The caller took the call back before anything was done.")
  fileprivate static let callTooLate = Status(
    .deadlineExceeded, reason: "DEADLINE", message: "The call's deadline passed.",
    retryable: true)
}
