import CEpoll
import Glibc
import Loop
import Wire

/// Bytes in and out of one connected socket, cut into frames.  Owns the descriptor.
///
/// Both ends of a call are built on it.  Lives on the loop's queue.
final class ByteChannel: Descriptor, EndOfPass {
  /// What happens on the channel, told to its owner.
  protocol Owner: AnyObject {
    /// One payload; valid until the call returns.
    func received(_ payload: UnsafeRawBufferPointer) throws(FrameError)
    /// Everything that waited to be sent has been sent.
    func drained()
    /// `heldBytes` may be another: bytes were taken or sent.
    func heldChanged()
    /// The channel has closed itself; nil when the peer ended it in order.  Told once.
    func closed(_ reason: String?)
  }

  /// Memory that a quiet connection keeps for what goes out.
  private static let quietBytes = 1024
  /// More than this is given back at once, less when the connection has become quiet.
  private static let busyBytes = 64 * 1024

  /// Kept alive until the channel has closed.  Not weak: a weak reference makes every retain of its
  /// object a slow one, a tenth of a call.
  var owner: (any Owner)?
  /// Bytes on their way out.  Append, then call `flush`.
  var output = ByteBuffer(capacity: quietBytes)

  private let loop: EventLoop
  private let scratch: ReadScratch
  private var fd: Int32
  private var token: Token?
  private var frames = FrameReader()
  /// Of a frame that has begun; as it was before, while frames are delivered.
  private var unfinishedBytes = 0
  private var flushing = false
  private var armedForWrite = false
  private var interest: Interest
  /// Bytes that may wait in `output` before nothing more is read.
  private let outputBytesMax: Int
  /// The peer takes too little of what it is owed to be given more: frames that have come wait, and
  /// nothing is read, until it has taken half.
  private(set) var isHeldUp = false
  private var connecting: Bool
  private var reading = true
  private let endComesFirst: Bool
  /// Since when what is being delivered may have waited in the kernel, in nanoseconds of
  /// CLOCK_MONOTONIC.
  private(set) var waitedSince: UInt64
  /// Bytes that came while nobody read, and since when they may have waited.
  private var late = (bytes: 0, since: UInt64.max)
  private var endWhenSent = false
  /// Bytes that the peer's side has taken.
  private(set) var sentBytes: UInt64 = 0
  /// Bytes that have come from there.
  private(set) var receivedBytes: UInt64 = 0

  /// - Parameters:
  ///   - connecting: the descriptor is still on its way to its peer.
  ///   - outputBytesMax: how much may wait for the peer before it is held up.  Only one end of a
  ///     connection may have such a limit, or the two could wait for each other.
  ///   - endComesFirst: once the peer has ended its side, what it sent before is dropped unread.  A
  ///     server has nobody to do it for; a client still wants the server's last answers.
  init(
    fd: Int32, connecting: Bool, outputBytesMax: Int = .max, endComesFirst: Bool = false,
    on loop: EventLoop, scratch: ReadScratch
  ) throws(SystemError) {
    self.fd = fd
    self.loop = loop
    self.scratch = scratch
    self.connecting = connecting
    self.outputBytesMax = outputBytesMax
    self.endComesFirst = endComesFirst
    waitedSince = loop.readableSince
    armedForWrite = connecting
    interest = connecting ? .readAndWrite : .read
    token = try loop.add(self, fd: fd, interest: interest)
    if loop.wasAway { noteLate(since: loop.readableSince) }
  }

  /// The peer has accepted the connection, now or before.
  var wasConnected: Bool { !connecting }

  /// Nothing can be sent any more.
  var isClosed: Bool { fd < 0 }

  /// Bytes of an unfinished frame, and of what has not been sent.
  var heldBytes: Int { unfinishedBytes + output.count }

  /// The peer has begun a frame and not ended it.
  var hasPartialFrame: Bool { unfinishedBytes > 0 && !isHeldUp }

  /// The peer is owed what it does not take: bytes wait here, or in the kernel alone.
  var isBlocked: Bool { (armedForWrite || isHeldUp) && !connecting }

  /// Sends what has been appended, at the end of the pass.
  func flush() {
    guard !flushing, !isClosed else { return }
    flushing = true
    loop.putOff(self)
  }

  /// Gives back memory that a burst has left behind.
  func becameQuiet() {
    output.shrink(to: Self.quietBytes)
    frames.becameQuiet()
  }

  /// Says nothing more once everything has been sent, and listens to nothing but the peer's end:
  /// closing at once could take back what the peer has not read yet.
  func finish() {
    reading = false
    endWhenSent = true
    flush()
  }

  /// Closes at once.
  func close(_ reason: String?) {
    guard fd >= 0 else { return }
    if let token { loop.remove(token) }
    token = nil
    // What has been answered before still goes out, as far as the kernel takes it.
    if !output.isEmpty, !armedForWrite {
      _ = Glibc.send(fd, output.readable.baseAddress, output.count, Int32(MSG_NOSIGNAL))
    }
    Glibc.close(fd)
    fd = -1
    let told = owner
    owner = nil
    told?.closed(reason)
  }

  // MARK: readiness

  func ready(_ readiness: Readiness) {
    if connecting, !finishConnecting() { return }
    if readiness.hasEnded, endComesFirst { reading = false }
    if readiness.writable, armedForWrite { send() }
    if readiness.writable, isHeldUp, output.count <= outputBytesMax / 2 { goOn() }
    if readiness.readable, !isClosed { receive() }
  }

  func endOfPass() {
    flushing = false
    guard !isClosed else { return }
    if connecting || armedForWrite { owner?.heldChanged() } else { send() }
  }

  private func finishConnecting() -> Bool {
    if let error = Socket.pendingError(of: fd) {
      close("\(error)")
      return false
    }
    connecting = false
    return true
  }

  // MARK: out

  private func send() {
    while !output.isEmpty {
      let sent = Glibc.send(
        fd, output.readable.baseAddress, output.count, Int32(MSG_NOSIGNAL))
      if sent < 0 {
        if errno == EINTR { continue }
        if errno == EAGAIN { break }
        return close(String(cString: strerror(errno)))
      }
      sentBytes += UInt64(sent)
      output.consume(sent)
    }
    output.shrink(to: Self.busyBytes)
    owner?.heldChanged()
    if output.isEmpty && endWhenSent { shutdown(fd, Int32(SHUT_WR)) }
    armedForWrite = !output.isEmpty
    watch()
    if !armedForWrite { owner?.drained() }
  }

  private func watch() {
    let wanted: Interest = isHeldUp ? .write : armedForWrite ? .readAndWrite : .read
    guard wanted != interest, let token else { return }
    interest = wanted
    loop.change(token, to: wanted)
  }

  // MARK: in

  private func receive() {
    if loop.wasAway { noteLate(since: loop.readableSince) }
    var taken = 0
    while !isClosed, !isHeldUp || !reading, taken < RPCLimits.readBytesPerPass {
      let count = recv(fd, scratch.memory.baseAddress, scratch.memory.count, 0)
      if count < 0 {
        if errno == EINTR { continue }
        if errno == EAGAIN { return }
        return close(String(cString: strerror(errno)))
      }
      if count == 0 {
        return close(hasPartialFrame ? "the peer left in the middle of a frame" : nil)
      }
      taken += count
      receivedBytes += UInt64(count)
      waitedSince = min(late.since, loop.readableSince)
      if late.bytes > 0 { tookLate(count) }
      guard reading else { continue }
      take(UnsafeRawBufferPointer(rebasing: scratch.memory[..<count]))
      if count < scratch.memory.count { return }
    }
  }

  /// What the kernel has by now came while nobody read.
  private func noteLate(since: UInt64) {
    late = (Int(stock_bytes_waiting(fd)), min(late.since, since))
    if late.bytes == 0 { late.since = .max }
  }

  private func tookLate(_ count: Int) {
    late.bytes -= count
    if late.bytes <= 0 { late = (0, .max) }
  }

  /// The frames that these bytes end, until the peer is held up.
  private func take(_ bytes: UnsafeRawBufferPointer) {
    do throws(FrameError) {
      try frames.take(bytes) { (payload) throws(FrameError) in
        try owner?.received(payload)
        return !isClosed && output.count <= outputBytesMax
      }
    } catch {
      return close("\(error)")
    }
    unfinishedBytes = frames.unfinishedBytes
    if !flushing { owner?.heldChanged() }
    guard output.count > outputBytesMax, !isClosed else { return }
    isHeldUp = true
    watch()
  }

  /// The frames that have waited, before anything more is read.  In a pass of its own: whoever is owed
  /// much has its turn like the others.
  private func goOn() {
    isHeldUp = false
    watch()
    noteLate(since: waitedSince)
    if reading { take(UnsafeRawBufferPointer(start: nil, count: 0)) }
  }
}

/// Memory to read into, shared by the connections of a loop.
final class ReadScratch {
  let memory = UnsafeMutableRawBufferPointer.allocate(
    byteCount: RPCLimits.readBytesPerPass, alignment: 16)
  deinit { memory.deallocate() }
}
