import CSHA256

/// The hash function SHA-256 of FIPS 180-4, section 6.2: names of contents that nobody can make collide.
///
/// Bytes may come in pieces of any size; the digest depends on the bytes alone.
public struct SHA256: Sendable {
  /// The 256 bits that a hash comes to.
  public struct Digest: Hashable, Sendable, CustomStringConvertible {
    /// The 32 bytes, first byte first.
    public let bytes: [UInt8]

    init(_ bytes: [UInt8]) {
      self.bytes = bytes
    }

    /// A digest that was written down; nil unless there are 32 bytes.
    public init?(bytes: [UInt8]) {
      guard bytes.count == 32 else { return nil }
      self.bytes = bytes
    }

    /// Reads what `description` wrote; nil if it is something else.
    public init?(_ text: String) {
      let digits = Array(text.utf8)
      guard digits.count == 64 else { return nil }
      var bytes: [UInt8] = []
      for start in stride(from: 0, to: 64, by: 2) {
        let pair = String(decoding: digits[start..<start + 2], as: UTF8.self)
        guard pair.utf8.first != UInt8(ascii: "+"), let byte = UInt8(pair, radix: 16) else {
          return nil
        }
        bytes.append(byte)
      }
      self.bytes = bytes
    }

    /// 64 hexadecimal digits in lower case.
    public var description: String {
      bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
  }

  private static let blockSize = 64
  private var state: SIMD8<UInt32> = [
    0x6A09_E667, 0xBB67_AE85, 0x3C6E_F372, 0xA54F_F53A,
    0x510E_527F, 0x9B05_688C, 0x1F83_D9AB, 0x5BE0_CD19,
  ]
  /// What does not fill a block yet.
  private var rest: [UInt8] = []
  private var count: UInt64 = 0

  /// Starts with no bytes.
  public init() {}

  /// The digest of bytes that are at hand.
  public static func hash(_ bytes: some Collection<UInt8>) -> Digest {
    var hash = SHA256()
    hash.add(bytes)
    return hash.digest()
  }

  /// Appends bytes.
  public mutating func add(_ bytes: some Collection<UInt8>) {
    let isContiguous: Void? = bytes.withContiguousStorageIfAvailable {
      unsafe add(UnsafeRawBufferPointer($0))
    }
    if isContiguous == nil { unsafe Array(bytes).withUnsafeBytes { unsafe add($0) } }
  }

  /// Appends bytes in memory.
  public mutating func add(_ bytes: UnsafeRawBufferPointer) {
    count &+= UInt64(bytes.count)
    var bytes = unsafe bytes
    if !rest.isEmpty {
      let missing = min(SHA256.blockSize - rest.count, bytes.count)
      unsafe rest.append(contentsOf: bytes.prefix(missing))
      unsafe bytes = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(missing))
      if rest.count < SHA256.blockSize { return }
      let block = rest
      rest.removeAll(keepingCapacity: true)
      unsafe block.withUnsafeBytes { unsafe compress($0) }
    }
    let whole = bytes.count - bytes.count % SHA256.blockSize
    unsafe compress(UnsafeRawBufferPointer(rebasing: bytes.prefix(whole)))
    unsafe rest.append(contentsOf: bytes.dropFirst(whole))
  }

  /// Appends a number as 8 bytes, lowest first.
  public mutating func add(_ number: Int) {
    add((0..<8).map { UInt8(truncatingIfNeeded: UInt64(bitPattern: Int64(number)) >> (8 * $0)) })
  }

  /// Appends a text behind its length, so that texts one after the other are not mistaken for others.
  public mutating func add(_ text: String) {
    add(text.utf8.count)
    add(text.utf8)
  }

  /// The digest of everything that was appended; more may follow.
  public func digest() -> Digest {
    // One bit, zeros and the length in bits fill the last block (FIPS 180-4, section 5.1.1).
    var last = self
    let bits = count &* 8
    var padding: [UInt8] = [0x80]
    while (rest.count + padding.count) % SHA256.blockSize != 56 { padding.append(0) }
    for shift in stride(from: 56, through: 0, by: -8) {
      padding.append(UInt8(truncatingIfNeeded: bits >> UInt64(shift)))
    }
    last.add(padding)
    var bytes: [UInt8] = []
    for word in 0..<8 {
      for shift in stride(from: 24, through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: last.state[word] >> UInt32(shift)))
      }
    }
    return Digest(bytes)
  }

  /// Takes in a whole number of blocks.
  private mutating func compress(_ blocks: UnsafeRawBufferPointer) {
    guard let start = blocks.baseAddress else { return }
    precondition(blocks.count % SHA256.blockSize == 0, "only whole blocks are compressed")
    unsafe withUnsafeMutableBytes(of: &state) { state in
      guard let words = unsafe state.bindMemory(to: UInt32.self).baseAddress else { return }
      unsafe SHA256.constants.withUnsafeBufferPointer { constants in
        unsafe irc_sha256_compress(
          words, start.assumingMemoryBound(to: UInt8.self), blocks.count / SHA256.blockSize,
          constants.baseAddress)
      }
    }
  }

  /// The first 32 bits of the fractions of the cube roots of the first 64 primes (FIPS 180-4, section 4.2.2).
  private static let constants: [UInt32] = cubeRootFractions(64)

  private static func cubeRootFractions(_ count: Int) -> [UInt32] {
    var result: [UInt32] = []
    var candidate: UInt64 = 2
    while result.count < count {
      if (2..<candidate).allSatisfy({ candidate % $0 != 0 }) {
        result.append(cubeRootFraction(candidate))
      }
      candidate += 1
    }
    return result
  }

  /// The low 32 bits of the largest r with r³ ≤ p·2⁹⁶, found bit by bit in whole numbers.
  private static func cubeRootFraction(_ prime: UInt64) -> UInt32 {
    let target = UInt128(prime) << 96
    var root: UInt128 = 0
    for bit in stride(from: UInt128(34), through: 0, by: -1) {
      let larger = root | 1 << bit
      if larger * larger * larger <= target { root = larger }
    }
    return UInt32(truncatingIfNeeded: root)
  }
}
