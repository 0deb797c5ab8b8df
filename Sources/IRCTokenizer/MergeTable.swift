/// The merges of a BPE model: which pair of pieces becomes which piece, and how early.
struct MergeTable: Sendable {
  /// Stands for "this pair does not merge".
  static let noRank = UInt32.max

  /// Piece that the merge of each rank makes.
  private(set) var results: [Int32] = []
  // Open addressing with linear probing: a Dictionary costs several times as much on this path.
  private var keys: [UInt64]
  private var ranks: [UInt32]
  private var shift: Int
  private var count = 0

  private static let empty = UInt64.max

  init() {
    keys = [UInt64](repeating: MergeTable.empty, count: 16)
    ranks = [UInt32](repeating: MergeTable.noRank, count: 16)
    shift = 60
  }

  /// Adds the merge of the next rank; a pair that was there before changes its rank to this one.
  mutating func append(_ left: Int32, _ right: Int32, makes result: Int32) {
    if (count + 1) * 2 > keys.count { grow() }
    let slot = slot(of: MergeTable.key(left, right))
    if keys[slot] == MergeTable.empty { count += 1 }
    keys[slot] = MergeTable.key(left, right)
    ranks[slot] = UInt32(results.count)
    results.append(result)
  }

  /// Rank of the merge of two pieces; `noRank` when they do not merge.
  @inline(__always)
  func rank(_ left: Int32, _ right: Int32) -> UInt32 {
    ranks[slot(of: MergeTable.key(left, right))]
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// The slot that holds `key`, or the empty one where it belongs.
  @inline(__always)
  private func slot(of key: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: (key &* 0x9E37_79B9_7F4A_7C15) >> UInt64(shift))
    while keys[slot] != key, keys[slot] != MergeTable.empty { slot = (slot + 1) & (keys.count - 1) }
    return slot
  }

  private mutating func grow() {
    let (oldKeys, oldRanks) = (keys, ranks)
    shift -= 1
    keys = [UInt64](repeating: MergeTable.empty, count: oldKeys.count * 2)
    ranks = [UInt32](repeating: MergeTable.noRank, count: oldKeys.count * 2)
    for (key, rank) in zip(oldKeys, oldRanks) where key != MergeTable.empty {
      let slot = slot(of: key)
      keys[slot] = key
      ranks[slot] = rank
    }
  }
}
