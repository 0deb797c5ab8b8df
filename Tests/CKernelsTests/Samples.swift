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
let packedBits: [UInt32] = [2, 3, 4, 8]

func bitPatterns(_ values: [Float]) -> [UInt32] { values.map(\.bitPattern) }

/// Whether every value is within `tolerance` of the exact one, relative to the largest exact value.
func close(_ values: [Float], _ exact: [Double], _ tolerance: Double) -> Bool {
  let scale = exact.map(abs).max() ?? 0
  return values.count == exact.count
    && zip(values, exact).allSatisfy { abs(Double($0) - $1) <= tolerance * scale }
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
  var zeros: [Int8]?

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

  func withDescriptor<R>(_ body: (UnsafePointer<irc_packed_weights>) -> R) -> R {
    codes.withUnsafeBytes { codes in
      scales.withUnsafeBytes { singles in
        (halfScales ?? []).withUnsafeBytes { halves in
          (zeros ?? []).withUnsafeBufferPointer { zeroPoints in
            var descriptor = irc_packed_weights(
              codes: codes.baseAddress, scales: (halfScales == nil ? singles : halves).baseAddress,
              zeros: zeros == nil ? nil : zeroPoints.baseAddress, bits: bits,
              scale_type: halfScales == nil ? IRC_SCALE_F32 : IRC_SCALE_F16, out: out, in: columns,
              group: group == 0 ? columns : group, groups: groups,
              row_bytes: irc_packed_row_bytes(columns, bits))
            return body(&descriptor)
          }
        }
      }
    }
  }
}
