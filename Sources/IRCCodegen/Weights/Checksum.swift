/// The checksum of a weights file: eight lanes over the little-endian words of each 64 bytes, then all of them together.
///
/// A change of any one word changes it, since every step can be undone. The emitted C has the same function.
struct Checksum {
  private static let factor: UInt64 = 0x9E37_79B9_7F4A_7C15
  static let factorText = hexadecimal(factor)

  private var lanes: SIMD8<UInt64> = [0, 1, 2, 3, 4, 5, 6, 7]
  private var count: UInt64 = 0

  /// Adds bytes whose count is a multiple of 64.
  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress else { return }
    precondition(bytes.count % 64 == 0, "a checksum runs over whole runs of 64 bytes")
    var lanes = lanes
    for at in stride(from: 0, to: bytes.count, by: 64) {
      let words = unsafe (start + at).loadUnaligned(as: SIMD8<UInt64>.self)
      lanes = (lanes ^ words) &* SIMD8(repeating: Checksum.factor)
      lanes ^= lanes &>> 32
    }
    self.lanes = lanes
    count += UInt64(bytes.count)
  }

  /// The checksum of everything that was added.
  var value: UInt64 {
    var sum = count
    for lane in 0..<8 {
      sum = (sum ^ lanes[lane]) &* Checksum.factor
      sum ^= sum >> 32
    }
    return sum
  }

  /// The checksum of text, filled up with zeros.
  static func of(_ text: String) -> UInt64 {
    var bytes = Array(text.utf8)
    bytes += [UInt8](repeating: 0, count: (64 - bytes.count % 64) % 64)
    var sum = Checksum()
    unsafe bytes.withUnsafeBytes { unsafe sum.add($0) }
    return sum.value
  }

  /// `0x` and sixteen digits.
  static func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return "0x" + String(repeating: "0", count: 16 - digits.count) + digits
  }
}
