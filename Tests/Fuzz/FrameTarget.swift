@testable import RPC
import Wire

/// However a stream of bytes is cut on its way, and however often its frames must wait, the same come
/// out of it, up to the first that cannot be one.
func fuzzFrames(_ input: UnsafeRawBufferPointer) {
  var choices = Choices(input)
  let piece = choices.below(256) + 1
  /// So many frames at a time; 0: all that have come.
  let turn = choices.below(4)
  let bytes = choices.rest()
  let (payloads, isRefused) = expectedFrames(bytes)

  var reader = FrameReader()
  var (delivered, refused, held, place) = (0, false, false, 0)
  while place < bytes.count || held, !refused {
    // As a channel does whose peer reads again: what waits goes first, and nothing is added to it.
    let size = held ? 0 : min(piece, bytes.count - place)
    // Memory of its own, so that reading beyond it is noticed.
    let part = UnsafeMutableRawBufferPointer.allocate(
      byteCount: size, alignment: 1)
    defer { part.deallocate() }
    part.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[place..<place + part.count]))
    place += part.count
    held = false
    do throws(FrameError) {
      try reader.take(UnsafeRawBufferPointer(part)) { payload in
        promise(delivered < payloads.count, "a frame too many")
        promise(payload.elementsEqual(bytes[payloads[delivered]]), "another payload")
        delivered += 1
        held = turn > 0 && delivered % turn == 0
        return !held
      }
    } catch {
      refused = true
    }
  }
  promise(delivered == payloads.count, "\(delivered) of \(payloads.count) frames")
  promise(refused == isRefused, "a length over the limit must end it, and nothing else")
  let unfinished = bytes.count - (payloads.last?.upperBound ?? 0)
  promise(refused || reader.unfinishedBytes == unfinished, "bytes are lost")
}

/// The places of the payloads, and whether a length over the limit follows them.
private func expectedFrames(_ bytes: UnsafeRawBufferPointer) -> ([Range<Int>], Bool) {
  var (payloads, place) = ([Range<Int>](), 0)
  while place + 4 <= bytes.count {
    let length = bytes[place..<place + 4].reduce(0) { $0 << 8 | Int($1) }
    if length > 2 * 1024 * 1024 { return (payloads, true) }
    guard place + 4 + length <= bytes.count else { break }
    payloads.append(place + 4..<place + 4 + length)
    place += 4 + length
  }
  return (payloads, false)
}
