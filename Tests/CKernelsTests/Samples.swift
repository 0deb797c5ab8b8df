import CKernels

/// A small deterministic generator: tests must not depend on a seed they cannot see.
struct Samples {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

  mutating func next() -> UInt32 {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return UInt32(truncatingIfNeeded: state >> 33) << 1 ^ UInt32(truncatingIfNeeded: state >> 40)
  }

  /// Uniform in -1...1.
  mutating func float() -> Float { Float(Int32(bitPattern: next())) / 0x1p31 }

  mutating func floats(_ count: Int) -> [Float] { (0..<count).map { _ in float() } }

  mutating func integers(_ count: Int, in range: ClosedRange<Int>) -> [Int8] {
    (0..<count).map { _ in Int8(range.lowerBound + Int(next() >> 3) % range.count) }
  }
}

let oddSizes = [1, 2, 3, 5, 7, 8, 31, 32, 33, 63, 64, 65, 172]
let packedBits: [UInt32] = [2, 3, 4, 5, 6, 7, 8]

func bitPatterns(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

/// Whether every value is within `tolerance` of the exact one, relative to the largest exact value.
func close(_ values: [Float], _ exact: [Double], _ tolerance: Double) -> Bool {
  let scale = exact.map(abs).max() ?? 0
  return values.count == exact.count
    && zip(values, exact).allSatisfy { abs(Double($0) - $1) <= tolerance * scale }
}

extension irc_code_spec {
  /// Integer codes, or those of a table.
  init(
    bits: UInt32, symmetric: Bool = true, scales: irc_scale_type = IRC_SCALE_F32,
    floorsExponent: Bool = false, tensorScale: Float = 0, group: Int = 0,
    table: UnsafePointer<irc_code_table>? = nil
  ) {
    self.init(
      bits: bits, symmetric: symmetric, scale_type: scales, floors_exponent: floorsExponent,
      tensor_scale: tensorScale, group: group, table: table, kind: IRC_CODES_SCALED)
  }
}

/// The values of E2M1, and of 2^bits codes that come near nothing else.
func tableValues(_ bits: UInt32) -> [Float] {
  let magnitudes: [Float] = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
  if bits == 4 { return magnitudes + magnitudes.map { -$0 } }
  var samples = Samples(UInt64(bits))
  return samples.floats(1 << bits)
}

/// A packed matrix that owns its bytes.
struct PackedMatrix {
  var out: Int
  var columns: Int
  var bits: UInt32
  var group: Int
  var codes: [UInt8]
  var scales: [Float]
  var halfScales: [UInt16]?
  /// Scales of one byte, with their type.
  var byteScales: (type: irc_scale_type, codes: [UInt8])?
  var zeros: [Int8]?
  /// The values of a table format.
  var values: [Float]?
  let tensorScale: Float = 0.37

  var groups: Int { group == 0 ? 1 : (columns + group - 1) / group }

  init(
    out: Int, columns: Int, bits: UInt32, group: Int, halfScales: Bool, asymmetric: Bool,
    seed: UInt64
  ) {
    var samples = Samples(seed)
    (self.out, self.columns, self.bits, self.group) = (out, columns, bits, group)
    let high = 1 << (bits - 1)
    let raw = samples.integers(out * columns, in: -high...high - 1)
    var packed = [UInt8](repeating: 0xAA, count: out * irc_packed_row_bytes(columns, bits))
    irc_pack_rows(&packed, raw, columns, out, columns, bits)
    codes = packed
    scales = []
    let count = groups
    scales = samples.floats(out * count).map { abs($0) + 0.01 }
    if asymmetric { zeros = samples.integers(out * count, in: -high...high - 1) }
    if halfScales {
      var halves = [UInt16](repeating: 0, count: scales.count)
      irc_f32_to_f16(&halves, scales, scales.count)
      self.halfScales = halves
    }
  }

  /// The same codes as places in a table, with scales of one byte.
  func with(values: [Float]?, byteScales type: irc_scale_type?) -> PackedMatrix {
    var copy = self
    copy.values = values
    if let type {
      var samples = Samples(77)
      // Small exponents, so that sums of products stay far from overflow.
      let range = type == IRC_SCALE_E8M0 ? 120...130 : 0...0x7E
      let codes = (0..<out * groups).map { _ in
        UInt8(range.lowerBound + Int(samples.next() >> 3) % range.count)
      }
      copy.byteScales = (type, codes)
    }
    return copy
  }

  private var scaleType: irc_scale_type {
    byteScales?.type ?? (halfScales == nil ? IRC_SCALE_F32 : IRC_SCALE_F16)
  }

  private func withScales<R>(_ body: (UnsafeRawPointer?) -> R) -> R {
    if let byteScales { return byteScales.codes.withUnsafeBytes { body($0.baseAddress) } }
    if let halfScales { return halfScales.withUnsafeBytes { body($0.baseAddress) } }
    return scales.withUnsafeBytes { body($0.baseAddress) }
  }

  func withDescriptor<R>(_ body: (UnsafePointer<irc_packed_weights>) -> R) -> R {
    codes.withUnsafeBytes { codes in
      withScales { scales in
        (zeros ?? []).withUnsafeBufferPointer { zeroPoints in
          (values ?? []).withUnsafeBufferPointer { table in
            withUnsafePointer(to: tensorScale) { tensorScale in
              var descriptor = irc_packed_weights(
                codes: codes.baseAddress, scales: scales,
                zeros: zeros == nil ? nil : zeroPoints.baseAddress, bits: bits,
                scale_type: scaleType, out: out, in: columns,
                group: group == 0 ? columns : group, groups: groups,
                row_bytes: irc_packed_row_bytes(columns, bits),
                values: values == nil ? nil : table.baseAddress, tensor_scale: tensorScale,
                kind: IRC_CODES_SCALED, layout: IRC_LAYOUT_ROWS, levels: nil, level_step: 0)
              return body(&descriptor)
            }
          }
        }
      }
    }
  }
}
