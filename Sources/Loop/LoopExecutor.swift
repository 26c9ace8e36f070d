public import Dispatch

/// The executor of an actor that lives on one serial Dispatch queue.  Linux has no
/// `DispatchSerialQueue` to do this.
public final class LoopExecutor: SerialExecutor {
  /// The queue on which the actor's loop, sources and jobs run.
  public let queue: DispatchQueue

  /// A fresh serial queue with a name for the debugger.
  public init(label: String) { queue = DispatchQueue(label: label, qos: .userInitiated) }

  /// Runs a job of the actor on the queue.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
  }

  /// Traps off the queue.
  public func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }
}
