/// What waits for the next script call, in the order in which it will go.
///
/// How it works.  While everything that waits fits into one call, its order is that of arrival, and
/// nobody is asked where an element comes from.  When more waits, each source has a line of its own,
/// and the lines take turns, one element each: a source with one element never waits behind more than
/// one of every other source, however many those have.  Within a source the order is that of arrival.
///
/// A value; it knows neither clock nor operations.
struct BatchQueue<Element> {
  /// How many fit into one call.
  private let fitting: Int
  /// Everything, while `lines` is empty.
  private var arrivals = FIFO<(element: Element, source: UInt64)>()
  private var lines: [UInt64: FIFO<Element>] = [:]
  /// The sources that have a line; the first has the next turn.
  private var turns = FIFO<UInt64>()
  /// Elements that wait.
  private(set) var count = 0

  /// - Parameter fitting: how many elements go in one call.
  init(fitting: Int) { self.fitting = fitting }

  /// How many elements would go before one of this source that came now.
  func ahead(of source: UInt64) -> Int {
    guard !lines.isEmpty else { return count }
    let line = lines[source]?.count ?? 0
    return min(count, (line + 1) * max(lines.count, 1))
  }

  /// Puts an element behind the others of its source.
  mutating func append(_ element: Element, source: UInt64) {
    count += 1
    if lines.isEmpty {
      if arrivals.count < fitting { return arrivals.append((element, source)) }
      formLines()
    }
    join(source) { $0.append(element) }
  }

  /// Puts back what was taken, in that order: each before the others of its source.
  mutating func putBack(_ elements: [(element: Element, source: UInt64)]) {
    count += elements.count
    if lines.isEmpty, arrivals.count + elements.count > fitting { formLines() }
    for (element, source) in elements.reversed() {
      if lines.isEmpty, count <= fitting {
        arrivals.prepend((element, source))
      } else {
        join(source, first: true) { $0.prepend(element) }
      }
    }
  }

  /// Takes the next element.
  mutating func next() -> (element: Element, source: UInt64)? {
    if let arrival = arrivals.popFirst() {
      count -= 1
      return arrival
    }
    guard let source = turns.popFirst() else { return nil }
    count -= 1
    let element = lines[source]!.popFirst()!
    if lines[source]!.isEmpty { lines[source] = nil } else { turns.append(source) }
    return (element, source)
  }

  /// The call is full: what still waits takes turns from here on.
  mutating func callIsFull() {
    if !arrivals.isEmpty { formLines() }
  }

  /// Takes out every element that is not to stay, wherever it waits.
  mutating func keep(where stays: (Element) -> Bool) {
    arrivals.keep { stays($0.element) }
    for source in lines.keys {
      lines[source]!.keep(where: stays)
      if lines[source]!.isEmpty { lines[source] = nil }
    }
    turns.keep { lines[$0] != nil }
    count = lines.values.reduce(arrivals.count) { $0 + $1.count }
  }

  private mutating func formLines() {
    while let (element, source) = arrivals.popFirst() { join(source) { $0.append(element) } }
  }

  private mutating func join(
    _ source: UInt64, first: Bool = false, _ place: (inout FIFO<Element>) -> Void
  ) {
    place(&lines[source, default: FIFO()])
    guard lines[source]!.count == 1 else { return }
    if first { turns.prepend(source) } else { turns.append(source) }
  }
}

/// First in, first out; what was taken can be put back.
struct FIFO<Element> {
  private var elements: [Element?] = []
  private var head = 0

  var count: Int { elements.count - head }
  var isEmpty: Bool { head == elements.count }

  /// Every element, the first one first.
  var all: [Element] { elements[head...].map { $0! } }

  mutating func append(_ element: Element) { elements.append(element) }

  mutating func prepend(_ element: Element) {
    if head == 0 {
      let gap = max(elements.count, 8)
      elements.insert(contentsOf: repeatElement(nil, count: gap), at: 0)
      head = gap
    }
    head -= 1
    elements[head] = element
  }

  mutating func popFirst() -> Element? {
    guard head < elements.count else { return nil }
    let first = elements[head].take()
    head += 1
    if head == elements.count {
      elements.removeAll(keepingCapacity: head <= 1_024)
      head = 0
    } else if head > 1_024, head > elements.count / 2 {
      elements.removeFirst(head)
      head = 0
    }
    return first
  }

  mutating func keep(where stays: (Element) -> Bool) {
    elements = elements.dropFirst(head).filter { stays($0!) }
    head = 0
  }
}
