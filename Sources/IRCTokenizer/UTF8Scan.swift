/// Walking through the scalars of UTF-8 bytes that are known to be valid.
enum UTF8Scan {
  /// The scalar that starts at `position` and the number of its bytes.
  @inline(__always)
  static func scalar(_ bytes: [UInt8], _ position: Int) -> (value: UInt32, length: Int) {
    let lead = bytes[position]
    if lead < 0x80 { return (UInt32(lead), 1) }
    return wideScalar(bytes, position)
  }

  private static func wideScalar(_ bytes: [UInt8], _ position: Int) -> (value: UInt32, length: Int)
  {
    let lead = bytes[position]
    let length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2
    guard lead >= 0xC0, position + length <= bytes.count else { return (0xFFFD, 1) }
    var value = UInt32(lead) & (length == 2 ? 0x1F : length == 3 ? 0x0F : 0x07)
    for offset in 1..<length { value = value << 6 | UInt32(bytes[position + offset] & 0x3F) }
    return (value, length)
  }

  /// First byte of the scalar that ends before `position`.
  static func scalarStart(_ bytes: [UInt8], before position: Int, limit: Int) -> Int {
    var start = position - 1
    while start > limit, bytes[start] & 0xC0 == 0x80 { start -= 1 }
    return start
  }

  /// Appends the UTF-8 form of a scalar value.
  static func append(_ value: UInt32, to bytes: inout [UInt8]) {
    let scalar = Unicode.Scalar(value) ?? "\u{FFFD}"
    for byte in UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter { bytes.append(byte) }
  }
}
