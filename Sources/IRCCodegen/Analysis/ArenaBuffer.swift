/// A buffer of the arena.
struct ArenaBuffer {
  /// How many rows it has.
  enum Rows {
    /// One for each token of a chunk.
    case tokens
    /// One, which the tokens of a loop use in turn; with threads, one for each of them.
    case one
  }

  /// Name of the value that it was made for.
  var name: String
  var type: CType
  /// Elements of a row.
  var stride: Int
  /// Steps between which it is needed, both included.
  var life: ClosedRange<Int>
  var rows = Rows.tokens
  /// Threads that may be in a loop at the same time.
  var threads = 1
  /// The buffer in whose place it lies, since its value is written over the one there.
  var replaced: Int?
  /// Where it starts in the arena; set by the memory plan.
  var offset = 0

  /// Rows for `tokens` tokens.
  func rowCount(tokens: Int) -> Int { rows == .one ? min(threads, tokens) : tokens }

  /// Bytes for `tokens` tokens.
  func bytes(tokens: Int) -> Int { aligned(rowCount(tokens: tokens) * stride * type.byteCount) }
}

extension Array where Element == ArenaBuffer {
  /// Gives each buffer a place such that buffers that live at the same time do not overlap; returns the bytes needed.
  ///
  /// The largest go first, each to the lowest place that is free for as long as it lives. One that replaces another goes where
  /// that one is, and both live as one.
  mutating func plan(tokens: Int) -> Int {
    let homes = indices.map(home)
    var lives = map(\.life)
    for (index, home) in homes.enumerated() {
      let (a, b) = (lives[home], self[index].life)
      lives[home] =
        Swift.min(a.lowerBound, b.lowerBound)...Swift.max(a.upperBound, b.upperBound)
    }
    let order = indices.filter { homes[$0] == $0 }.sorted {
      let (a, b) = (self[$0].bytes(tokens: tokens), self[$1].bytes(tokens: tokens))
      return (-a, $0) < (-b, $1)
    }
    var placed: [Int] = []  // by offset
    var total = 0
    for index in order {
      let bytes = self[index].bytes(tokens: tokens)
      var offset = 0
      for other in placed where lives[other].overlaps(lives[index]) {
        if self[other].offset >= offset + bytes { break }
        offset = Swift.max(offset, self[other].offset + self[other].bytes(tokens: tokens))
      }
      self[index].offset = offset
      total = Swift.max(total, offset + bytes)
      let place = placed.firstIndex { self[$0].offset > offset } ?? placed.count
      placed.insert(index, at: place)
    }
    for (index, home) in homes.enumerated() { self[index].offset = self[home].offset }
    return total
  }

  /// Bytes of all buffers side by side.
  func sum(tokens: Int) -> Int { reduce(0) { $0 + $1.bytes(tokens: tokens) } }

  /// Bytes of the buffers that live during one step, at the step where that is most: no plan takes less.
  func largestLive(tokens: Int) -> Int {
    let last = map(\.life.upperBound).max() ?? 0
    return (0...last).map { step in
      // What replaces another one lies in its place.
      let homes = Set(indices.filter { self[$0].life.contains(step) }.map(home))
      return homes.reduce(0) { $0 + self[$1].bytes(tokens: tokens) }
    }.max() ?? 0
  }

  /// The first of the buffers that replace each other.
  private func home(of index: Int) -> Int {
    var index = index
    while let replaced = self[index].replaced { index = replaced }
    return index
  }
}
