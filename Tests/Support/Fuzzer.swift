/// A seeded source of random numbers (SplitMix64): the same seed gives the same test on every machine.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// Starts the sequence of `seed`.
  public init(seed: UInt64) {
    state = seed
  }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// Damages valid documents at random, to show that a parser refuses what it cannot read and never traps.
public struct Fuzzer: Sendable {
  private var generator: SeededGenerator
  private let seeds: [[UInt8]]
  private let words: [[UInt8]]

  /// Starts from valid `documents`; `words` are pieces of the language to insert, such as brackets and keywords.
  public init(documents: [[UInt8]], words: [[UInt8]] = [], seed: UInt64 = 1) {
    seeds = documents
    self.words = words
    generator = SeededGenerator(seed: seed)
  }

  /// Starts from valid texts.
  public init(texts: [String], words: [String] = [], seed: UInt64 = 1) {
    self.init(
      documents: texts.map { Array($0.utf8) }, words: words.map { Array($0.utf8) }, seed: seed)
  }

  /// The next damaged document: one of the documents with one to six changes.
  public mutating func next() -> [UInt8] {
    var bytes = seeds.randomElement(using: &generator) ?? []
    for _ in 0..<Int.random(in: 1...6, using: &generator) { mutate(&bytes) }
    return bytes
  }

  /// Calls `body` with damaged documents until `duration` has passed or `limit` were tried; returns how many.
  @discardableResult
  public mutating func run(
    for duration: Duration = .seconds(2), limit: Int = .max, _ body: ([UInt8]) throws -> Void
  ) rethrows -> Int {
    let clock = ContinuousClock()
    let end = clock.now + duration
    var count = 0
    while count < limit, clock.now < end {
      try body(next())
      count += 1
    }
    return count
  }

  private mutating func place(in bytes: [UInt8]) -> Int {
    Int.random(in: 0...bytes.count, using: &generator)
  }

  /// A piece of `bytes`, usually short.
  private mutating func piece(of bytes: [UInt8]) -> Range<Int> {
    let start = place(in: bytes)
    let longest = Bool.random(using: &generator) ? 8 : bytes.count
    let length = Int.random(in: 0...max(1, longest), using: &generator)
    return start..<min(bytes.count, start + length)
  }

  private mutating func mutate(_ bytes: inout [UInt8]) {
    let place = place(in: bytes)
    switch Int.random(in: 0..<8, using: &generator) {
    case 0 where place < bytes.count:
      bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1 where place < bytes.count:
      bytes[place] = UInt8.random(in: 0...255, using: &generator)
    case 2:
      bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
    case 3:
      bytes.removeSubrange(piece(of: bytes))
    case 4:
      bytes.insert(contentsOf: bytes[piece(of: bytes)], at: place)
    case 5:
      bytes.insert(contentsOf: words.randomElement(using: &generator) ?? [], at: place)
    case 6:
      bytes.removeSubrange(place...)
    default:
      // A digit made larger or smaller hits sizes and offsets.
      if let digit = bytes[place...].firstIndex(where: { (0x30..<0x3A).contains($0) }) {
        bytes[digit] = UInt8.random(in: 0x30..<0x3A, using: &generator)
      }
    }
    if bytes.count > 1 << 16 { bytes.removeSubrange((1 << 16)...) }
  }
}
