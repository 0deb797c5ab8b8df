/// The ids of words that were encoded before.
struct WordCache: Sendable {
  /// Longer words are not worth keeping.
  static let longestWord = 64
  private static let capacity = 1 << 16

  private struct Entry: Sendable {
    var hash: UInt64
    var key: Range<Int32>
    var ids: Range<Int32>
  }

  // Open addressing over one arena of keys and one of ids: no allocation for a word.
  private var slots = [Int32](repeating: -1, count: 1 << 12)
  private var entries: [Entry] = []
  private var keys: [UInt8] = []
  private var ids: [Int32] = []

  /// Appends the ids of `word` to `output` if they are known.
  func append(_ bytes: [UInt8], _ word: Range<Int>, hash: UInt64, to output: inout [Int32]) -> Bool
  {
    guard let entry = find(bytes, word, hash).entry else { return false }
    for place in entries[entry].ids { output.append(ids[Int(place)]) }
    return true
  }

  /// Remembers a word that is not there yet.
  mutating func insert(_ bytes: [UInt8], _ word: Range<Int>, hash: UInt64, ids new: [Int32]) {
    if entries.count >= WordCache.capacity { return }
    if (entries.count + 1) * 2 > slots.count { grow() }
    let slot = find(bytes, word, hash).slot
    slots[slot] = Int32(entries.count)
    let (keyStart, idStart) = (Int32(keys.count), Int32(ids.count))
    keys.append(contentsOf: bytes[word])
    ids.append(contentsOf: new)
    entries.append(
      Entry(hash: hash, key: keyStart..<Int32(keys.count), ids: idStart..<Int32(ids.count)))
  }

  /// A hash of the bytes of a word.
  static func hash(_ bytes: [UInt8], _ word: Range<Int>) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for place in word { hash = (hash ^ UInt64(bytes[place])) &* 0x100_0000_01B3 }
    return hash ^ (hash >> 29)
  }

  private func find(_ bytes: [UInt8], _ word: Range<Int>, _ hash: UInt64) -> (
    slot: Int, entry: Int?
  ) {
    var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
    while slots[slot] >= 0 {
      let entry = Int(slots[slot])
      if entries[entry].hash == hash, isKey(entries[entry].key, bytes, word) {
        return (slot, entry)
      }
      slot = (slot + 1) & (slots.count - 1)
    }
    return (slot, nil)
  }

  private func isKey(_ key: Range<Int32>, _ bytes: [UInt8], _ word: Range<Int>) -> Bool {
    if key.count != word.count { return false }
    let start = Int(key.lowerBound)
    for offset in 0..<word.count where keys[start + offset] != bytes[word.lowerBound + offset] {
      return false
    }
    return true
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: slots.count * 2)
    for (place, entry) in entries.enumerated() {
      var slot = Int(truncatingIfNeeded: entry.hash) & (slots.count - 1)
      while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(place)
    }
  }
}
