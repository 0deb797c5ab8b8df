import CKernels
import Testing

@Suite("Linear kernels")
struct LinearTests {
  static let out = 11

  /// (5 + 33 + 1) tokens at once, and in calls of 1 and 5: all equal to the reference, bit for bit.
  private func check(
    columns: Int, kernel: (UnsafeMutablePointer<Float>, UnsafePointer<Float>, Int) -> Void,
    reference: (UnsafeMutablePointer<Float>, UnsafePointer<Float>, Int) -> Void,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    var samples = Samples(UInt64(columns))
    let x = samples.floats(33 * columns)
    var expected = [Float](repeating: 0, count: 33 * Self.out)
    reference(&expected, x, 33)
    for step in [1, 5, 33] {
      var y = [Float](repeating: .nan, count: 33 * Self.out)
      y.withUnsafeMutableBufferPointer { y in
        x.withUnsafeBufferPointer { x in
          for start in Swift.stride(from: 0, to: 33, by: step) {
            kernel(
              y.baseAddress! + start * Self.out, x.baseAddress! + start * columns,
              min(step, 33 - start))
          }
        }
      }
      #expect(bitPatterns(y) == bitPatterns(expected), sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: oddSizes)
  func floatWeights(columns: Int) {
    let out = Self.out
    var samples = Samples(3)
    let w = samples.floats(out * columns)
    let bias = samples.floats(out)
    var halves = [UInt16](repeating: 0, count: w.count)
    irc_f32_to_f16(&halves, w, w.count)
    var scratch = [Float](repeating: 0, count: irc_linear_scratch_bytes(columns) / 4)
    check(
      columns: columns,
      kernel: { irc_linear_f32($0, out, $1, columns, w, bias, $2, columns, out) },
      reference: { irc_linear_f32_ref($0, out, $1, columns, w, bias, $2, columns, out) })
    check(
      columns: columns,
      kernel: { irc_linear_f16($0, out, $1, columns, halves, nil, $2, columns, out, &scratch) },
      reference: { irc_linear_f16_ref($0, out, $1, columns, halves, nil, $2, columns, out) })

    let x = samples.floats(columns)
    var y = [Float](repeating: 0, count: out)
    irc_linear_f32(&y, out, x, columns, w, nil, 1, columns, out)
    let exact = (0..<out).map { row in
      (0..<columns).reduce(0.0) { $0 + Double(w[row * columns + $1]) * Double(x[$1]) }
    }
    #expect(close(y, exact, 1e-5))
  }

  struct Format: Sendable, CustomTestStringConvertible {
    var bits: UInt32
    var group: Int
    var half: Bool
    var asymmetric: Bool
    var testDescription: String {
      "int\(bits), group \(group), \(half ? "f16" : "f32"), \(asymmetric ? "zeros" : "symmetric")"
    }
  }

  static let formats = packedBits.flatMap { bits in
    [0, 32, 48].flatMap { group in
      [false, true].flatMap { half in
        [false, true].map { Format(bits: bits, group: group, half: half, asymmetric: $0) }
      }
    }
  }

  @Test(arguments: formats, [1, 31, 33, 65, 172, 300])
  func quantizedWeights(format: Format, columns: Int) {
    let out = Self.out
    let matrix = PackedMatrix(
      out: out, columns: columns, bits: format.bits, group: format.group, halfScales: format.half,
      asymmetric: format.asymmetric, seed: 11)
    var scratch = [Float](repeating: 0, count: irc_linear_scratch_bytes(columns) / 4)
    var samples = Samples(13)
    let bias = samples.floats(out)
    matrix.withDescriptor { w in
      check(
        columns: columns,
        kernel: { irc_linear_q_f32($0, out, $1, columns, w, bias, $2, &scratch) },
        reference: { irc_linear_q_f32_ref($0, out, $1, columns, w, bias, $2) })

      let stride = irc_padded(columns)
      let tokens = 6
      var x = [Int8](repeating: 0, count: tokens * stride)
      for token in 0..<tokens {
        x.replaceSubrange(
          token * stride..<token * stride + columns, with: samples.integers(columns, in: -128...127)
        )
      }
      let scales = samples.floats(tokens)
      let zeros: [Int32] = [-128, 127, 0, 3, -5, 64]
      for (perToken, zero, offset) in [(1, true, true), (0, true, false), (1, false, true)] {
        var y = [Float](repeating: .nan, count: tokens * out)
        var expected = y
        zeros.withUnsafeBufferPointer { zeros in
          let zeros = zero ? zeros.baseAddress : nil
          bias.withUnsafeBufferPointer { bias in
            let bias = offset ? bias.baseAddress : nil
            irc_linear_q_i8(
              &y, out, x, stride, scales, zeros, perToken, w, bias, tokens, &scratch)
            irc_linear_q_i8_ref(
              &expected, out, x, stride, scales, zeros, perToken, w, bias, tokens)
          }
        }
        #expect(bitPatterns(y) == bitPatterns(expected))
      }
    }
  }

  @Test(
    "Tables of values and scales of one byte, in groups that blocks do not hold",
    arguments: packedBits, [1, 31, 33, 172, 300])
  func tableWeights(bits: UInt32, columns: Int) {
    let out = Self.out
    var scratch = [Float](repeating: 0, count: irc_linear_scratch_bytes(columns) / 4)
    for (group, scales) in [
      (0, nil), (16, IRC_SCALE_E4M3), (32, IRC_SCALE_E8M0), (5, IRC_SCALE_E4M3),
    ] as [(Int, irc_scale_type?)] {
      let integers = PackedMatrix(
        out: out, columns: columns, bits: bits, group: group, halfScales: false, asymmetric: false,
        seed: 11)
      for values in [nil, tableValues(bits)] {
        integers.with(values: values, byteScales: scales).withDescriptor { w in
          check(
            columns: columns,
            kernel: { irc_linear_q_f32($0, out, $1, columns, w, nil, $2, &scratch) },
            reference: { irc_linear_q_f32_ref($0, out, $1, columns, w, nil, $2) })
        }
      }
    }
  }

  /// The largest products there are: beyond 33 025 columns a 32-bit sum of them would overflow.
  @Test func longRowsDoNotOverflow() {
    let columns = 40_000
    var packed = [UInt8](repeating: 0, count: irc_packed_row_bytes(columns, 8))
    irc_pack_rows(&packed, [Int8](repeating: -128, count: columns), columns, 1, columns, 8)
    var matrix = PackedMatrix(
      out: 1, columns: columns, bits: 8, group: 0, halfScales: false, asymmetric: true, seed: 1)
    matrix.codes = packed
    matrix.scales = [1]
    matrix.zeros = [127]
    let x = [Int8](repeating: -128, count: irc_padded(columns))
    var scratch = [Float](repeating: 0, count: irc_linear_scratch_bytes(columns) / 4)
    var y: Float = 0
    matrix.withDescriptor {
      irc_linear_q_i8(&y, 1, x, x.count, [1], [127], 0, $0, nil, 1, &scratch)
    }
    #expect(y == Float(255 * 255 * columns))
  }

  @Test func embeddingsPickRows() {
    let matrix = PackedMatrix(
      out: 9, columns: 70, bits: 4, group: 32, halfScales: true, asymmetric: true, seed: 2)
    let ids: [Int32] = [8, 0, 3, 3]
    var table = [Float](repeating: 0, count: 9 * 70)
    var y = [Float](repeating: 0, count: 4 * 70)
    matrix.withDescriptor { w in
      for row in 0..<9 {
        table.withUnsafeMutableBufferPointer {
          irc_dequantize_row($0.baseAddress! + row * 70, w, row)
        }
      }
      irc_embedding_q(&y, ids, w, 4)
    }
    let expected = ids.flatMap { Array(table[Int($0) * 70..<(Int($0) + 1) * 70]) }
    #expect(y == expected)
    irc_embedding_f32(&y, ids, table, 4, 70)
    #expect(y == expected)
    var halves = [UInt16](repeating: 0, count: table.count)
    irc_f32_to_f16(&halves, table, table.count)
    irc_embedding_f16(&y, ids, halves, 4, 70)
    #expect(y == expected.map { Float(Float16($0)) })
  }
}
