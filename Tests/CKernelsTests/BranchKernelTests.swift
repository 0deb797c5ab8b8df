import CKernels
import Testing

/// The kernels of a branch against the references of what they join, bit for bit.
@Suite("Kernels of low-rank branches")
struct BranchKernelTests {
  /// Real weights in the precision that they are stored in.
  struct RealWeights {
    var floats: [Float]
    var halves: [UInt16]
    var isHalf: Bool
    var out: Int
    var columns: Int

    init(out: Int, columns: Int, isHalf: Bool, seed: UInt64) {
      var samples = Samples(seed)
      floats = samples.floats(out * columns)
      halves = [UInt16](repeating: 0, count: floats.count)
      irc_f32_to_f16(&halves, floats, floats.count)
      (self.out, self.columns, self.isHalf) = (out, columns, isHalf)
    }

    func withDescriptor<R>(_ body: (UnsafePointer<irc_real_weights>) -> R) -> R {
      func call(_ values: UnsafeRawPointer?) -> R {
        var weights = irc_real_weights(values: values, is_half: isHalf, out: out, in: columns)
        return body(&weights)
      }
      return isHalf
        ? halves.withUnsafeBytes { call($0.baseAddress) }
        : floats.withUnsafeBytes { call($0.baseAddress) }
    }

    /// x·Wᵀ by the reference.
    func product(_ x: [Float], stride: Int, tokens: Int) -> [Float] {
      var y = [Float](repeating: .nan, count: tokens * out)
      if isHalf {
        irc_linear_f16_ref(&y, out, x, stride, halves, nil, tokens, columns, out)
      } else {
        irc_linear_f32_ref(&y, out, x, stride, floats, nil, tokens, columns, out)
      }
      return y
    }
  }

  /// What a quantizer with a branch leaves behind.
  struct Results: Equatable {
    var codes: [Int8]
    var scales: [UInt32] = []
    var zeros: [Int32] = []
    var hidden: [UInt32]

    init(_ codes: [Int8], _ scales: [Float], _ zeros: [Int32], _ hidden: [Float]) {
      (self.codes, self.zeros) = (codes, zeros)
      (self.scales, self.hidden) = (bitPatterns(scales), bitPatterns(hidden))
    }
  }

  /// Columns beside the pieces that the kernel works in, ranks beside its groups of rows, tokens beside its blocks.
  static let sizes: [(columns: Int, rank: Int, tokens: Int)] =
    oddSizes.map { ($0, 3, 9) }
    + [1, 2, 4, 5, 7, 8, 32, 33].map { (300, $0, 17) }
    + [1, 7, 8, 9, 16, 20].map { (513, 6, $0) } + [(256, 4, 8), (257, 4, 8), (1024, 5, 2)]

  @Test("A quantizer with a branch gives what the quantizer and the product give", arguments: sizes)
  func quantizers(size: (columns: Int, rank: Int, tokens: Int)) {
    let (n, rank, tokens) = size
    let stride = n + 3
    let padded = irc_padded(n)
    var samples = Samples(UInt64(n + rank))
    let x = samples.floats(tokens * stride)
    var scratch = [Float](repeating: .nan, count: irc_down_scratch_bytes(rank) / 4)
    for isHalf in [false, true] {
      let down = RealWeights(out: rank, columns: n, isHalf: isHalf, seed: 5)
      let hidden = down.product(x, stride: stride, tokens: tokens)
      for bits in [4, 8] as [UInt32] {
        for asymmetric in [false, true] {
          /// Runs a quantizer on fresh memory.
          func run(
            _ body: (
              inout [Int8], inout [Float], UnsafeMutablePointer<Int32>?, inout [Float]
            ) -> Void
          ) -> Results {
            var codes = [Int8](repeating: 99, count: tokens * padded)
            var scales = [Float](repeating: -1, count: tokens)
            var zeros = [Int32](repeating: -1, count: tokens)
            var made = [Float](repeating: .nan, count: tokens * rank)
            zeros.withUnsafeMutableBufferPointer {
              body(&codes, &scales, asymmetric ? $0.baseAddress : nil, &made)
            }
            return Results(codes, scales, zeros, made)
          }
          let expected = run { codes, scales, zeros, made in
            irc_quantize_tokens_i8_ref(
              &codes, padded, &scales, zeros, x, stride, tokens, n, bits)
            made = hidden
          }
          let actual = run { codes, scales, zeros, made in
            down.withDescriptor {
              irc_quantize_tokens_down(
                &codes, padded, &scales, zeros, &made, rank, x, stride, $0, tokens, bits, &scratch)
            }
          }
          #expect(actual == expected, "half: \(isHalf), \(bits) bits, zeros: \(asymmetric)")
        }
        for (scale, zero) in [(Float(0.013), Int32(0)), (0.5, -1), (0x1p-130, 1)] {
          var (one, two) = ([Int8](repeating: 99, count: tokens * padded), [Int8]())
          two = one
          var made = [Float](repeating: .nan, count: tokens * rank)
          irc_quantize_static_i8_ref(&one, padded, x, stride, tokens, n, scale, zero, -7, 8)
          down.withDescriptor {
            irc_quantize_static_down(
              &two, padded, &made, rank, x, stride, $0, tokens, scale, zero, -7, 8, &scratch)
          }
          #expect(one == two && bitPatterns(made) == bitPatterns(hidden), "static, half: \(isHalf)")
        }
      }
    }
  }

  @Test("Rows that meet every special rule are quantized as without a branch")
  func specialRows() {
    for n in [5, 64, 300] {
      let rows = QuantizerTests.specialRows(n)
      let x = rows.flatMap { $0 }
      let padded = irc_padded(n)
      let down = RealWeights(out: 2, columns: n, isHalf: true, seed: 1)
      var scratch = [Float](repeating: .nan, count: irc_down_scratch_bytes(2) / 4)
      for asymmetric in [false, true] {
        var codes = [[Int8]](repeating: .init(repeating: 99, count: rows.count * padded), count: 2)
        var scales = [[Float]](repeating: .init(repeating: -1, count: rows.count), count: 2)
        var zeros = [[Int32]](repeating: .init(repeating: -1, count: rows.count), count: 2)
        var hidden = [Float](repeating: .nan, count: rows.count * 2)
        zeros[0].withUnsafeMutableBufferPointer {
          irc_quantize_tokens_i8(
            &codes[0], padded, &scales[0], asymmetric ? $0.baseAddress : nil, x, n, rows.count, n, 8
          )
        }
        zeros[1].withUnsafeMutableBufferPointer { zeros in
          down.withDescriptor {
            irc_quantize_tokens_down(
              &codes[1], padded, &scales[1], asymmetric ? zeros.baseAddress : nil, &hidden, 2, x, n,
              $0, rows.count, 8, &scratch)
          }
        }
        #expect(codes[0] == codes[1] && zeros[0] == zeros[1])
        #expect(bitPatterns(scales[0]) == bitPatterns(scales[1]))
      }
    }
  }

  @Test(
    "A product with a branch gives what the products and their sum give",
    arguments: LinearTests.formats, [1, 33, 172, 300])
  func products(format: LinearTests.Format, columns: Int) {
    let (out, tokens) = (LinearTests.out, 5)
    let matrix = PackedMatrix(
      out: out, columns: columns, bits: format.bits, group: format.group, halfScales: format.half,
      asymmetric: format.asymmetric, seed: 11)
    var samples = Samples(13)
    let bias = samples.floats(out)
    let x = samples.floats(tokens * columns)
    let stride = irc_padded(columns)
    var codes = [Int8](repeating: 0, count: tokens * stride)
    for token in 0..<tokens {
      codes.replaceSubrange(
        token * stride..<token * stride + columns, with: samples.integers(columns, in: -128...127))
    }
    let scales = samples.floats(tokens)
    for (rank, isHalf) in [(1, true), (5, false), (32, true), (33, true)] {
      let up = RealWeights(out: out, columns: rank, isHalf: isHalf, seed: 7)
      let hidden = samples.floats(tokens * (rank + 2))
      let branch = up.product(hidden, stride: rank + 2, tokens: tokens)
      var scratch = [Float](repeating: .nan, count: irc_up_scratch_bytes(columns, rank) / 4)
      for offset in [nil, bias] {
        var (y, integer) = ([Float](repeating: .nan, count: tokens * out), [Float]())
        integer = y
        var (expected, expectedInteger) = (y, y)
        func call(_ bias: UnsafePointer<Float>?) {
          matrix.withDescriptor { w in
            irc_linear_q_f32_ref(&expected, out, x, columns, w, bias, tokens)
            irc_linear_q_i8_ref(
              &expectedInteger, out, codes, stride, scales, nil, 1, w, bias, tokens)
            up.withDescriptor { up in
              irc_linear_q_f32_up(
                &y, out, x, columns, w, bias, hidden, rank + 2, up, tokens, &scratch)
              irc_linear_q_i8_up(
                &integer, out, codes, stride, scales, nil, 1, w, bias, hidden, rank + 2, up, tokens,
                &scratch)
            }
          }
        }
        if let offset { offset.withUnsafeBufferPointer { call($0.baseAddress) } } else { call(nil) }
        #expect(bitPatterns(y) == bitPatterns(zip(expected, branch).map(+)), "rank \(rank)")
        #expect(
          bitPatterns(integer) == bitPatterns(zip(expectedInteger, branch).map(+)), "rank \(rank)")
      }
    }
  }
}
