/// Merges neighbouring pieces of one word: lowest rank first, leftmost first among equals.
struct Merger: Sendable {
  /// The pieces: set before `run`, merged after.
  var ids: [Int32] = []
  private var ranks: [UInt32] = []
  private var previous: [Int32] = []
  private var next: [Int32] = []
  private var queue = MergeQueue()

  /// Up to this many pieces a plain scan for the lowest rank beats the queue.
  static let scanLimit = 40

  /// Merges until no neighbours merge; `ids` holds at most `Int32.max` pieces.
  mutating func run(_ table: MergeTable) {
    if ids.count <= Merger.scanLimit { scan(table) } else { queue(table) }
  }

  /// Quadratic in the number of pieces.
  mutating func scan(_ table: MergeTable) {
    if ids.count < 2 { return }
    ranks.removeAll(keepingCapacity: true)
    for place in 1..<ids.count { ranks.append(table.rank(ids[place - 1], ids[place])) }
    while true {
      var best = MergeTable.noRank
      var place = 0
      for (candidate, rank) in ranks.enumerated() where rank < best {
        best = rank
        place = candidate
      }
      if best == MergeTable.noRank { return }
      ids[place] = table.results[Int(best)]
      ids.remove(at: place + 1)
      ranks.remove(at: place)
      if place > 0 { ranks[place - 1] = table.rank(ids[place - 1], ids[place]) }
      if place < ranks.count { ranks[place] = table.rank(ids[place], ids[place + 1]) }
    }
  }

  /// n log n in the number of pieces: whole documents are one word where there is no pre-tokenizer.
  mutating func queue(_ table: MergeTable) {
    let count = ids.count
    previous = (0..<count).map { Int32($0) - 1 }
    next = (0..<count).map { Int32($0) + 1 }
    queue.removeAll()
    for place in 0..<max(0, count - 1) {
      let rank = table.rank(ids[place], ids[place + 1])
      if rank != MergeTable.noRank { queue.add(rank: rank, place: place) }
    }
    queue.order()
    while let (rank, place) = queue.pop() {
      // What the entry was made for may have been merged with something else since.
      let right = Int(next[place])
      guard ids[place] >= 0, right < count,
        table.rank(ids[place], ids[right]) == rank
      else { continue }
      ids[place] = table.results[Int(rank)]
      ids[right] = -1
      let after = Int(next[right])
      next[place] = Int32(after)
      if after < count {
        previous[after] = Int32(place)
        let rank = table.rank(ids[place], ids[after])
        if rank != MergeTable.noRank { queue.push(rank: rank, place: place) }
      }
      let before = Int(previous[place])
      if before >= 0 {
        let rank = table.rank(ids[before], ids[place])
        if rank != MergeTable.noRank { queue.push(rank: rank, place: before) }
      }
    }
    ids.removeAll { $0 < 0 }
  }
}

/// A binary heap of possible merges, least rank first and least place among equals.
private struct MergeQueue: Sendable {
  private var entries: [UInt64] = []

  mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

  /// Adds an entry without keeping the order; `order` restores it.
  mutating func add(rank: UInt32, place: Int) {
    entries.append(UInt64(rank) << 32 | UInt64(UInt32(truncatingIfNeeded: place)))
  }

  mutating func order() {
    for root in stride(from: entries.count / 2 - 1, through: 0, by: -1) { sink(root) }
  }

  mutating func push(rank: UInt32, place: Int) {
    add(rank: rank, place: place)
    var child = entries.count - 1
    let entry = entries[child]
    while child > 0 {
      let parent = (child - 1) / 2
      if entries[parent] <= entry { break }
      entries[child] = entries[parent]
      child = parent
    }
    entries[child] = entry
  }

  mutating func pop() -> (rank: UInt32, place: Int)? {
    guard let top = entries.first, let last = entries.popLast() else { return nil }
    if !entries.isEmpty {
      entries[0] = last
      sink(0)
    }
    return (UInt32(truncatingIfNeeded: top >> 32), Int(UInt32(truncatingIfNeeded: top)))
  }

  private mutating func sink(_ start: Int) {
    var parent = start
    let entry = entries[parent]
    while true {
      var child = 2 * parent + 1
      if child >= entries.count { break }
      if child + 1 < entries.count, entries[child + 1] < entries[child] { child += 1 }
      if entries[child] >= entry { break }
      entries[parent] = entries[child]
      parent = child
    }
    entries[parent] = entry
  }
}
