import CEpoll
import Dispatch
import Glibc

/// The executor of an actor that lives on one serial Dispatch queue.  Linux has no
/// `DispatchSerialQueue` to do this.
///
/// How it works.  Jobs wait in a list.  While a loop's pass has the queue, the pass runs them between
/// two looks at its descriptors, and is woken for them when it sleeps; else a block on the queue runs
/// them.  A pass that gave the queue back for every job would pay for two threads each time.
public final class LoopExecutor: SerialExecutor {
  private typealias Job = @Sendable () -> Void

  /// Who will run the jobs that wait.
  private enum Runner {
    case nobody
    case block
    case pass(sleeps: Bool)
  }

  /// The queue on which the actor's loop and jobs run.
  let queue: DispatchQueue
  /// Readable when a pass has something to do beside its descriptors; less than 0: the errno of why there is none.
  let wakeDescriptor = stock_eventfd_create()
  private let state = Locked<(jobs: [Job], runner: Runner)>(([], .nobody))

  /// A fresh serial queue with a name for the debugger.
  public init(label: String) { queue = DispatchQueue(label: label, qos: .userInitiated) }

  deinit { close(wakeDescriptor) }

  /// Runs a job of the actor on the queue.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
  }

  /// Runs `work` on the queue, behind what waits there.
  public func async(_ work: @escaping @Sendable () -> Void) {
    let runner = state.withLock { state in
      state.jobs.append(work)
      let before = state.runner
      switch before {
      case .nobody: state.runner = .block
      case .block: break
      case .pass: state.runner = .pass(sleeps: false)
      }
      return before
    }
    switch runner {
    case .nobody: queue.async { self.runBlock() }
    case .pass(sleeps: true): stock_eventfd_signal(wakeDescriptor)
    case .block, .pass: break
    }
  }

  /// Traps off the queue.
  public func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }

  private func runBlock() {
    let jobs = state.withLock { state in
      if case .block = state.runner { state.runner = .nobody }
      defer { state.jobs = [] }
      return state.jobs
    }
    for job in jobs { job() }
  }

  // MARK: the pass

  /// A pass has the queue: from now on it is the one that runs the jobs.
  func passBegins() { state.withLock { $0.runner = .pass(sleeps: false) } }

  /// Runs what waits.
  /// - Returns: false when nothing did: the pass may sleep, and is woken.
  func runJobs() -> Bool {
    let jobs = state.withLock { state in
      state.runner = .pass(sleeps: state.jobs.isEmpty)
      defer { if !state.jobs.isEmpty { state.jobs = [] } }
      return state.jobs
    }
    for job in jobs { job() }
    return !jobs.isEmpty
  }

  /// The pass gives the queue back.
  func passEnds() {
    let waits = state.withLock { state in
      state.runner = state.jobs.isEmpty ? .nobody : .block
      return !state.jobs.isEmpty
    }
    if waits { queue.async { self.runBlock() } }
  }
}
