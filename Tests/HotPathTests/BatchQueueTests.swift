import Testing

@testable import HotPath

@Suite("Whose turn it is")
struct BatchQueueTests {
  private func queue(_ elements: [(Int, UInt64)], fitting: Int = 4) -> BatchQueue<Int> {
    var queue = BatchQueue<Int>(fitting: fitting)
    for (element, source) in elements { queue.append(element, source: source) }
    return queue
  }

  private func drain(_ queue: inout BatchQueue<Int>) -> [Int] {
    var all: [Int] = []
    while let next = queue.next() { all.append(next.element) }
    return all
  }

  @Test("what fits into one call goes in the order of arrival")
  func fitting() {
    var queue = queue([(1, 7), (2, 7), (3, 8), (4, 7)])
    #expect(drain(&queue) == [1, 2, 3, 4])
    #expect(queue.count == 0)
  }

  @Test("when more waits, the sources take turns, each in its own order")
  func turns() {
    var queue = queue([(1, 7), (2, 7), (3, 7), (4, 7), (5, 7), (60, 8), (61, 8), (70, 9)])
    #expect(drain(&queue) == [1, 60, 70, 2, 61, 3, 4, 5])
  }

  @Test("one element behind 10,000 of another source has the second place")
  func lone() {
    var queue = queue((0..<10_000).map { ($0, 1) } + [(-1, 2)], fitting: 256)
    #expect(queue.ahead(of: 2) == 4 && queue.ahead(of: 1) == 10_001)
    #expect(queue.next()?.element == 0)
    #expect(queue.next()?.element == -1)
  }

  @Test(
    "what comes back goes before the others of its source, also when not all fits any more",
    arguments: [(fresh: 1, order: [1, 2, 3]), (fresh: 4, order: [2, 1, 3])])
  func putBack(fresh: Int, order: [Int]) {
    var queue = queue([(1, 7), (2, 8), (3, 7)])
    let taken = (0..<3).map { _ in queue.next()! }
    for place in 0..<fresh { queue.append(10 + place, source: 7) }
    queue.putBack(taken)
    #expect(drain(&queue) == order + Array(10..<(10 + fresh)))
  }

  @Test("a call that was full before everything had gone: turns from there on")
  func callIsFull() {
    var queue = queue([(1, 7), (2, 7), (3, 7), (4, 8)])
    #expect(queue.next()?.element == 1)
    queue.callIsFull()
    #expect(drain(&queue) == [2, 4, 3])
  }

  @Test("what is not to stay leaves, wherever it waits", arguments: [4, 100])
  func keep(fitting: Int) {
    var queue = queue(
      (0..<20).map { ($0, UInt64($0 % 3)) } + [(100, 9), (102, 9)], fitting: fitting)
    queue.keep { $0 % 2 == 1 }
    #expect(queue.count == 10)
    #expect(drain(&queue).sorted() == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19])
  }

  @Test("a long random life: nothing is lost, nothing comes twice, each source keeps its order")
  func random() {
    let seed = UInt64.random(in: .min ... .max)
    var random = SeededGenerator(seed: seed)
    var queue = BatchQueue<Int>(fitting: 16)
    var appended = 0
    var waiting: [UInt64: [Int]] = [:]
    for _ in 0..<3_000 {
      for _ in 0..<Int.random(in: 0...20, using: &random) {
        let source = UInt64.random(in: 0..<5, using: &random)
        queue.append(appended, source: source)
        waiting[source, default: []].append(appended)
        appended += 1
      }
      var taken: [(element: Int, source: UInt64)] = []
      while taken.count < 16, let next = queue.next() { taken.append(next) }
      if Bool.random(using: &random) {
        queue.putBack(taken)
      } else {
        for (element, source) in taken {
          #expect(waiting[source]?.removeFirst() == element, "seed \(seed)")
        }
      }
      #expect(queue.count == waiting.values.reduce(0) { $0 + $1.count }, "seed \(seed)")
    }
  }
}
