import CKernels
import Testing

@Suite("Encoding weights")
struct EncodeTests {
  static let specs = packedBits.flatMap { bits in
    [0, 5, 32, 48].flatMap { group in
      [false, true].flatMap { symmetric in
        [false, true].map { (bits, group, symmetric, $0) }
      }
    }
  }

  struct Encoded: Equatable {
    var packed: [UInt8]
    var scales: [UInt32]
    var zeros: [Int8]
  }

  @Test(arguments: oddSizes + [1500])
  func oneStepEqualsThree(n: Int) {
    // The rows that meet every rule of the quantizers, each a row of weights.
    let rows = QuantizerTests.specialRows(n)
    let stride = n + 2
    let w = rows.flatMap { $0 + [5, 5] as [Float] }
    for (bits, group, symmetric, half) in Self.specs {
      let spec = irc_code_spec(
        bits: bits, symmetric: symmetric, scales: half ? IRC_SCALE_F16 : IRC_SCALE_F32, group: group
      )
      let groups = irc_group_count(n, group)
      let empty = Encoded(
        packed: [UInt8](repeating: 0xAA, count: rows.count * irc_packed_row_bytes(n, bits)),
        scales: [], zeros: [Int8](repeating: 0, count: rows.count * groups))
      var scales = [Float](repeating: -1, count: rows.count * groups)

      var fused = empty
      irc_encode_pack_rows(
        &fused.packed, &scales, &fused.zeros, w, stride, rows.count, n, spec)
      fused.scales = bitPatterns(scales)

      var steps = empty
      var codes = [Int8](repeating: 99, count: rows.count * n)
      irc_encode_params_rows(&scales, &steps.zeros, w, stride, rows.count, n, spec)
      irc_encode_rows(
        &codes, n, w, stride, scales, symmetric ? nil : steps.zeros, rows.count, n, spec)
      irc_pack_rows(&steps.packed, codes, n, rows.count, n, bits)
      steps.scales = bitPatterns(scales)
      #expect(fused == steps)

      if half {
        #expect(scales.allSatisfy { Float(Float16($0)) == $0 && $0 <= 65504 })
      } else if group == 0 {
        var dynamic = [Int8](repeating: 99, count: rows.count * n)
        var zeros = [Int32](repeating: 0, count: rows.count)
        var perToken = scales
        zeros.withUnsafeMutableBufferPointer {
          irc_quantize_tokens_i8(
            &dynamic, n, &perToken, symmetric ? nil : $0.baseAddress, w, stride, rows.count, n, bits
          )
        }
        #expect(dynamic == codes)
        #expect(bitPatterns(perToken) == steps.scales)
        #expect(zeros == steps.zeros.map(Int32.init))
      }
    }
  }

  @Test(arguments: packedBits)
  func decodedWeightsAreWithinHalfAStep(bits: UInt32) {
    var samples = Samples(21)
    let (rows, n) = (4, 300)
    let w = samples.floats(rows * n)
    for (group, symmetric) in [(0, true), (64, true), (64, false)] {
      let spec = irc_code_spec(bits: bits, symmetric: symmetric, group: group)
      let groups = irc_group_count(n, group)
      var scales = [Float](repeating: 0, count: rows * groups)
      var zeros = [Int8](repeating: 0, count: rows * groups)
      var codes = [Int8](repeating: 0, count: rows * n)
      var back = [Float](repeating: 0, count: rows * n)
      irc_encode_params_rows(&scales, &zeros, w, n, rows, n, spec)
      irc_encode_rows(&codes, n, w, n, scales, zeros, rows, n, spec)
      irc_decode_rows(&back, n, codes, n, scales, zeros, rows, n, spec)
      for i in 0..<rows * n {
        let scale = scales[i / n * groups + (group == 0 ? 0 : i % n / group)]
        // An asymmetric zero point is itself rounded, which can cost another half step at the ends.
        let bound = symmetric ? 0.5 : 1.0
        #expect(abs(Double(back[i] - w[i])) <= Double(scale) * bound * (1 + 1e-5))
      }
    }
  }

  @Test func halfScalesSaturateAndVanish() {
    func scale(_ x: [Float]) -> (Float, [Int8]) {
      let spec = irc_code_spec(bits: 8, scales: IRC_SCALE_F16)
      var scale: Float = -1
      var codes = [Int8](repeating: 99, count: x.count)
      irc_encode_params_rows(&scale, nil, x, x.count, 1, x.count, spec)
      irc_encode_rows(&codes, x.count, x, x.count, &scale, nil, 1, x.count, spec)
      return (scale, codes)
    }
    #expect(scale([65504 * 127, 1e30, -1e30]) == (65504, [127, 127, -127]))
    #expect(scale([1e-8, -1e-7]) == (0, [0, 0]))
    #expect(scale([Float(0x1p-24) * 127, 0]) == (0x1p-24, [127, 0]))
  }

  @Test(arguments: oddSizes)
  func columnsAreScaled(cols: Int) {
    var samples = Samples(4)
    let gain = samples.floats(cols)
    var w = samples.floats(3 * cols)
    let expected = w.indices.map { w[$0] * gain[$0 % cols] }
    w.withUnsafeMutableBufferPointer {
      irc_mul_columns_f32($0.baseAddress, $0.baseAddress, gain, 3, cols)
    }
    #expect(w == expected)
  }
}
