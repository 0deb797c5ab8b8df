import CKernels
import Testing

/// What codes of a matrix in panels stand for.
enum PanelCodes: String, CaseIterable, Sendable {
  case symmetric, zeroPoints, levels
  /// Zero points that no byte holds once they are taken off.
  case wideZeroPoints
}

/// A matrix in panels with activations for it, all numbers of which come from one seed.
struct PanelProduct {
  var out: Int
  var columns: Int
  var bits: UInt32
  var group: Int
  var tokens: Int
  var kind: PanelCodes
  var scaleType: irc_scale_type
  /// Every factor as large as it can be, so that sums are.
  var isExtreme = false

  private var groups: Int { columns <= group ? 1 : (columns + group - 1) / group }
  private let tensorScale: Float = 0.37

  private func panels(_ samples: inout Samples) -> (codes: [UInt8], scales: [UInt8], zeros: [Int8])
  {
    let high = 1 << (bits - 1)
    let codes =
      isExtreme
      ? [Int8](repeating: Int8(-high), count: out * columns)
      : samples.integers(out * columns, in: -high...high - 1)
    let stored = irc_stored_rows(out, IRC_LAYOUT_PANELS)
    var packed = [UInt8](repeating: 0xAA, count: stored * irc_packed_row_bytes(columns, bits))
    irc_pack_panels(&packed, codes, columns, out, columns, bits, kind == .levels)

    let count = out * groups
    let size = irc_scale_bytes(scaleType)
    var plain = [UInt8]()
    for _ in 0..<count {
      switch scaleType {
      case IRC_SCALE_F16: withUnsafeBytes(of: UInt16(samples.next() % 0x7C00)) { plain += $0 }
      case IRC_SCALE_E8M0: plain.append(UInt8(100 + samples.next() % 50))
      case IRC_SCALE_E4M3: plain.append(UInt8(samples.next() % 0x7F))
      default: withUnsafeBytes(of: abs(samples.float())) { plain += $0 }
      }
    }
    var scales = [UInt8](repeating: 0, count: stored * groups * size)
    irc_interleave_groups(&scales, plain, out, groups, size)

    let range = kind == .wideZeroPoints ? -128...127 : -high...high - 1
    let points =
      isExtreme
      ? [Int8](repeating: Int8(range.upperBound), count: count) : samples.integers(count, in: range)
    var zeros = [Int8](repeating: 0, count: stored * groups)
    irc_interleave_groups(&zeros, points, out, groups, 1)
    return (packed, scales, zeros)
  }

  /// Whether a table of kernels gives the bits of the reference.
  func agrees(
    _ kernels: UnsafePointer<irc_kernels>, activationZeros: Bool, bias hasBias: Bool
  ) -> Bool {
    var samples = Samples(UInt64(out * columns + tokens) << 8 | UInt64(bits))
    let (codes, scales, zeros) = panels(&samples)
    let levels = samples.integers(1 << bits, in: -128...127)
    let values = levels.map { Float($0) / 2 }
    let stride = irc_padded(columns) + 3
    var x = [Int8](repeating: 0, count: tokens * stride)
    for token in 0..<tokens {
      let row =
        isExtreme
        ? [Int8](repeating: -128, count: columns) : samples.integers(columns, in: -128...127)
      x.replaceSubrange(token * stride..<token * stride + columns, with: row)
    }
    let xScales = samples.floats(tokens).map { abs($0) }
    let xZeros = samples.integers(tokens, in: -128...127).map { isExtreme ? 127 : Int32($0) }
    let bias = samples.floats(out)
    let width = out + 2
    var expected = [Float](repeating: 0.5, count: tokens * width)
    var y = expected
    var scratch = [Float](repeating: 0, count: irc_linear_scratch_bytes(columns) / 4)
    codes.withUnsafeBytes { codes in
      scales.withUnsafeBytes { scales in
        zeros.withUnsafeBufferPointer { zeros in
          levels.withUnsafeBufferPointer { levels in
            values.withUnsafeBufferPointer { values in
              withUnsafePointer(to: tensorScale) { tensorScale in
                var w = irc_packed_weights(
                  codes: codes.baseAddress, scales: scales.baseAddress,
                  zeros: kind == .symmetric || kind == .levels ? nil : zeros.baseAddress,
                  bits: bits, scale_type: scaleType, out: out, in: columns,
                  group: min(group, columns), groups: groups,
                  row_bytes: irc_packed_row_bytes(columns, bits),
                  values: kind == .levels ? values.baseAddress : nil, tensor_scale: tensorScale,
                  kind: IRC_CODES_SCALED, layout: IRC_LAYOUT_PANELS,
                  levels: kind == .levels ? levels.baseAddress : nil, level_step: 0.5)
                irc_linear_q_i8_ref(
                  &expected, width, x, stride, xScales, activationZeros ? xZeros : nil, 1, &w,
                  hasBias ? bias : nil, tokens)
                kernels.pointee.linear_q_i8(
                  &y, width, x, stride, xScales, activationZeros ? xZeros : nil, 1, &w,
                  hasBias ? bias : nil, tokens, &scratch)
              }
            }
          }
        }
      }
    }
    return bitPatterns(y) == bitPatterns(expected)
  }
}

@Suite("Integer products of panels")
struct PanelTests {
  /// Every table that this processor can run.
  private static var tables: [UnsafePointer<irc_kernels>] {
    [
      irc_kernels_portable(), irc_kernels_avx2(), irc_kernels_avx512_vnni(), irc_kernels_amx(),
      irc_kernels_neon_dotprod(), irc_kernels_neon_i8mm(),
    ].compactMap { $0 }
  }

  private static let scaleTypes = [
    IRC_SCALE_F32, IRC_SCALE_F16, IRC_SCALE_E8M0, IRC_SCALE_E4M3,
  ]

  private func check(_ product: PanelProduct, sourceLocation: SourceLocation = #_sourceLocation) {
    for table in Self.tables {
      for zeros in [false, true] {
        let agrees = product.agrees(table, activationZeros: zeros, bias: !zeros)
        let name = String(cString: table.pointee.name)
        #expect(
          agrees, "\(name), zero points of activations: \(zeros), \(product)",
          sourceLocation: sourceLocation)
      }
    }
  }

  /// Groups of whole and of half blocks, and the row; matrices that end within a panel and a block.
  @Test(arguments: packedBits, PanelCodes.allCases)
  func oddShapes(bits: UInt32, kind: PanelCodes) {
    let shapes = [(1, 1), (17, 40), (70, 129), (64, 256)]
    let tokens = [1, 2, 3, 4, 7, 9, 13, 16, 33, 70]
    for (index, count) in tokens.enumerated() {
      let (out, columns) = shapes[index % shapes.count]
      for (place, group) in [16, 32, 48, 128, columns].enumerated() {
        check(
          PanelProduct(
            out: out, columns: columns, bits: bits, group: group, tokens: count, kind: kind,
            scaleType: Self.scaleTypes[(index + place) % 4]))
      }
    }
  }

  /// Sums near the ends of 32 bits: -128 * -128 over whole rows, and 255 * 255 with zero points.
  @Test(arguments: [4, 8] as [UInt32], [PanelCodes.symmetric, .zeroPoints])
  func extremes(bits: UInt32, kind: PanelCodes) {
    for tokens in [1, 6, 17] {
      for (columns, group) in [(32_768, 32_768), (300, 128), (300, 256)] {
        check(
          PanelProduct(
            out: 18, columns: columns, bits: bits, group: group, tokens: tokens, kind: kind,
            scaleType: IRC_SCALE_F16, isExtreme: true))
      }
    }
  }

  /// Rows whose sums need more than 32 bits are left to kernels that have them.
  @Test func rowsThatAreTooLong() {
    check(
      PanelProduct(
        out: 3, columns: 66_000, bits: 8, group: 66_000, tokens: 2, kind: .zeroPoints,
        scaleType: IRC_SCALE_F32, isExtreme: true))
  }
}
