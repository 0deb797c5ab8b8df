import CKernels
import Testing

@Suite("Activation quantizers")
struct QuantizerTests {
  struct Quantized: Equatable {
    var codes: [Int8]
    var scales: [UInt32]
    var zeros: [Int32]
  }

  /// Rows that meet every special rule, padded with ordinary values to `n` columns.
  static func specialRows(_ n: Int) -> [[Float]] {
    var samples = Samples(UInt64(n))
    let tiny = Float.leastNonzeroMagnitude
    let starts: [[Float]] = [
      [], [0, -0], [.nan, 1, -2], [.infinity, 1], [-.infinity, .nan], [3e38, -3e38], [1e-38, 0],
      [.greatestFiniteMagnitude],
    ]
    return starts.map { start in Array((start + samples.floats(n)).prefix(n)) } + [
      [Float](repeating: 0, count: n), [Float](repeating: tiny, count: n),
      [Float](repeating: -0x1p-130, count: n), [Float](repeating: .nan, count: n),
      (0..<n).map { Float($0 % 255) - 127.5 }, (0..<n).map { Float($0 % 3) + 1 },
      (0..<n).map { -Float($0 % 3) - 1 },
    ]
  }

  @Test(arguments: [2, 3, 4, 5, 8] as [UInt32], oddSizes)
  func portableEqualsReference(bits: UInt32, n: Int) {
    let rows = Self.specialRows(n)
    let stride = n + 3
    let x = rows.flatMap { $0 + [7, 8, 9] as [Float] }
    let padded = irc_padded(n)
    typealias Quantizer = (
      UnsafeMutablePointer<Int8>?, Int, UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Int32>?,
      UnsafePointer<Float>?, Int, Int, Int, UInt32
    ) -> Void
    func run(_ quantizer: Quantizer, asymmetric: Bool) -> Quantized {
      var codes = [Int8](repeating: 99, count: rows.count * padded)
      var scales = [Float](repeating: -1, count: rows.count)
      var zeros = [Int32](repeating: -1, count: rows.count)
      zeros.withUnsafeMutableBufferPointer {
        quantizer(
          &codes, padded, &scales, asymmetric ? $0.baseAddress : nil, x, stride, rows.count, n, bits
        )
      }
      return Quantized(codes: codes, scales: bitPatterns(scales), zeros: zeros)
    }
    for asymmetric in [false, true] {
      #expect(
        run({ irc_quantize_tokens_i8($0, $1, $2, $3, $4, $5, $6, $7, $8) }, asymmetric: asymmetric)
          == run(
            { irc_quantize_tokens_i8_ref($0, $1, $2, $3, $4, $5, $6, $7, $8) },
            asymmetric: asymmetric))
    }
    for (scale, zero) in [
      (Float(0.013), Int32(0)), (0.5, -1), (0x1p-130, 1), (0, 1), (.infinity, 0),
    ] {
      var one = [Int8](repeating: 99, count: rows.count * padded)
      var two = one
      irc_quantize_static_i8(&one, padded, x, stride, rows.count, n, scale, zero, -2, 1)
      irc_quantize_static_i8_ref(&two, padded, x, stride, rows.count, n, scale, zero, -2, 1)
      #expect(one == two)
    }
  }

  @Test func tiesGoToEven() {
    let x: [Float] = [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 127, 128, -128, .nan]
    var codes = [Int8](repeating: 9, count: 12)
    irc_quantize_static_i8(&codes, 12, x, 10, 1, 10, 1, 0, -127, 127)
    #expect(codes == [0, 2, 2, 0, -2, -2, 127, 127, -127, 0, 0, 0])
  }

  @Test func specialGroups() {
    func symmetric(_ x: [Float], bits: UInt32 = 8) -> (scale: Float, codes: [Int8]) {
      var codes = [Int8](repeating: 9, count: x.count)
      var scale: Float = -1
      irc_quantize_tokens_i8(&codes, x.count, &scale, nil, x, x.count, 1, x.count, bits)
      return (scale, codes)
    }
    #expect(symmetric([0, -0, 0]) == (0, [0, 0, 0]))
    #expect(symmetric([0x1p-133, -0x1p-133]) == (0, [0, 0]))
    #expect(symmetric([.infinity, 5, .nan]) == (.infinity, [0, 0, 0]))
    #expect(symmetric([.nan, 127, -63.5]) == (1, [0, 127, -64]))
    #expect(symmetric([7.5, -7.5, 1], bits: 4) == (1, [7, -8, 1]))

    let x: [Float] = [-1, 0, 2, .nan]
    var codes = [Int8](repeating: 9, count: 4)
    var scale: Float = 0
    var zero: Int32 = 0
    irc_quantize_tokens_i8(&codes, 4, &scale, &zero, x, 4, 1, 4, 8)
    #expect(scale == Float(3) / 255)
    #expect(zero == -43)
    #expect(codes == [-128, -43, 127, -43])
  }
}
