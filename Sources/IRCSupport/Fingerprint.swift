/// SHA-256 of some content: equal content has equal fingerprints, and nothing else has in practice.
public struct Fingerprint: Hashable, Sendable, CustomStringConvertible {
  /// The 32 bytes.
  public let bytes: [UInt8]

  init(_ words: [UInt32]) {
    bytes = words.flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> (24 - 8 * $0)) }
    }
  }

  /// 64 hexadecimal digits: usable as the name of a file.
  public var description: String {
    let digits = Array("0123456789abcdef")
    return String(bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
  }
}

/// Takes the fingerprint of content that comes in pieces: SHA-256 as in FIPS 180-4, section 6.2.
public struct Fingerprinter: Sendable {
  private var state = initialState
  /// Bytes that do not fill a block yet.
  private var rest: [UInt8] = []
  private var byteCount: UInt64 = 0

  /// Nothing seen yet.
  public init() {}

  /// Takes in bytes; how they are cut into calls does not matter.
  public mutating func add(bytes: UnsafeRawBufferPointer) {
    byteCount &+= UInt64(bytes.count)
    var start = 0
    if !rest.isEmpty {
      start = min(64 - rest.count, bytes.count)
      unsafe rest.append(contentsOf: bytes[..<start])
      guard rest.count == 64 else { return }
      let block = rest
      unsafe block.withUnsafeBytes { unsafe compress($0, blocks: 1) }
      rest.removeAll(keepingCapacity: true)
    }
    let blocks = (bytes.count - start) / 64
    let end = start + blocks * 64
    unsafe compress(UnsafeRawBufferPointer(rebasing: bytes[start..<end]), blocks: blocks)
    unsafe rest.append(contentsOf: bytes[end...])
  }

  /// Takes in an array of bytes.
  public mutating func add(_ bytes: [UInt8]) {
    unsafe bytes.withUnsafeBytes { unsafe add(bytes: $0) }
  }

  /// Takes in a number.
  public mutating func add(_ number: Int) {
    add((0..<8).map { UInt8(truncatingIfNeeded: UInt64(bitPattern: Int64(number)) >> (8 * $0)) })
  }

  /// Takes in a text with its length, so that texts one after the other are not mistaken for others.
  public mutating func add(_ text: String) {
    add(text.utf8.count)
    add(Array(text.utf8))
  }

  /// The fingerprint of everything taken in so far.
  public func finished() -> Fingerprint {
    var last = self
    let bits = byteCount &* 8
    let padding = (119 - Int(byteCount % 64)) % 64
    last.add([0x80] + Array(repeating: 0, count: padding))
    last.add((0..<8).map { UInt8(truncatingIfNeeded: bits >> (56 - 8 * $0)) })
    return Fingerprint(last.state)
  }

  /// The fingerprint of bytes that are all there.
  public static func of(_ bytes: UnsafeRawBufferPointer) -> Fingerprint {
    var hasher = Fingerprinter()
    unsafe hasher.add(bytes: bytes)
    return hasher.finished()
  }

  private mutating func compress(_ bytes: UnsafeRawBufferPointer, blocks: Int) {
    guard blocks > 0 else { return }
    unsafe withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 64) { schedule in
      unsafe Self.roundConstants.withUnsafeBufferPointer { constants in
        for block in 0..<blocks {
          for index in 0..<16 {
            unsafe schedule[index] = UInt32(
              bigEndian: bytes.loadUnaligned(
                fromByteOffset: block * 64 + index * 4, as: UInt32.self))
          }
          for index in 16..<64 {
            let (a, b) = unsafe (schedule[index - 15], schedule[index - 2])
            let small = rotate(a, 7) ^ rotate(a, 18) ^ (a >> 3)
            let large = rotate(b, 17) ^ rotate(b, 19) ^ (b >> 10)
            unsafe schedule[index] = schedule[index - 16] &+ small &+ schedule[index - 7] &+ large
          }
          var (a, b, c, d) = (state[0], state[1], state[2], state[3])
          var (e, f, g, h) = (state[4], state[5], state[6], state[7])
          for index in 0..<64 {
            let mixed = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
            let choice = (e & f) ^ (~e & g)
            let first = unsafe h &+ mixed &+ choice &+ constants[index] &+ schedule[index]
            let second =
              (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22))
              &+ ((a & b) ^ (a & c) ^ (b & c))
            (h, g, f, e) = (g, f, e, d &+ first)
            (d, c, b, a) = (c, b, a, first &+ second)
          }
          for (index, word) in [a, b, c, d, e, f, g, h].enumerated() { state[index] &+= word }
        }
      }
    }
  }

  /// Fractional parts of the square roots of the first 8 primes.
  private static let initialState: [UInt32] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
    0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
  ]

  /// Fractional parts of the cube roots of the first 64 primes.
  private static let roundConstants: [UInt32] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4,
    0xab1c_5ed5, 0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe,
    0x9bdc_06a7, 0xc19b_f174, 0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f,
    0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da, 0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7,
    0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967, 0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc,
    0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85, 0xa2bf_e8a1, 0xa81a_664b,
    0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070, 0x19a4_c116,
    0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7,
    0xc671_78f2,
  ]
}

@inline(__always)
private func rotate(_ word: UInt32, _ count: UInt32) -> UInt32 {
  word >> count | word << (32 - count)
}
