import CKernels
import Foundation
import Testing

@Suite("Elementwise kernels stay within their error bounds")
struct MathKernelTests {
  typealias Kernel = @Sendable (UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, Int) -> Void

  struct Case: Sendable, CustomTestStringConvertible {
    let name: String
    let bound: Double
    let kernel: Kernel
    let exact: @Sendable (Double) -> Double
    var testDescription: String { name }
  }

  static let cases = [
    Case(name: "exp", bound: 2, kernel: { irc_exp_f32($0, $1, $2) }, exact: { exp($0) }),
    Case(
      name: "softplus", bound: 3, kernel: { irc_softplus_f32($0, $1, $2) },
      exact: { max($0, 0) + log1p(exp(-abs($0))) }),
    Case(
      name: "sigmoid", bound: 3, kernel: { irc_sigmoid_f32($0, $1, $2) },
      exact: { 1 / (1 + exp(-$0)) }),
    Case(
      name: "silu", bound: 3, kernel: { irc_silu_f32($0, $1, $2) },
      exact: { $0 / (1 + exp(-$0)) }),
  ]

  @Test(arguments: cases)
  func errorAgainstDouble(_ test: Case) {
    // Every 997th float: all magnitudes and both signs, about 4.3 million values.
    let inputs = stride(from: UInt32(0), to: UInt32.max - 997, by: 997).map(Float.init(bitPattern:))
      .filter(\.isFinite)
    var outputs = [Float](repeating: 0, count: inputs.count)
    test.kernel(&outputs, inputs, inputs.count)
    var worst = 0.0
    var at: Float = 0
    for (x, y) in zip(inputs, outputs) {
      let exact = test.exact(Double(x))
      guard abs(exact) >= Double(Float.leastNormalMagnitude), Float(exact).isFinite else {
        continue
      }
      // Below -87 SiLU multiplies a subnormal exponential: its bound there is absolute.
      if test.name == "silu", x < -87, abs(Double(y) - exact) < 1e-43 { continue }
      let error = abs(Double(y) - exact) / Double(Float(exact).ulp)
      if error > worst || error.isNaN { (worst, at) = (error, x) }
    }
    #expect(worst <= test.bound, "at \(at)")
  }

  @Test func edgesOfExponentials() {
    let x: [Float] = [.infinity, -.infinity, 89, 1e30, -104, -1e30, 0, -0, .nan]
    var y = [Float](repeating: 9, count: x.count)
    irc_exp_f32(&y, x, x.count)
    #expect(y.dropLast() == [.infinity, 0, .infinity, .infinity, 0, 0, 1, 1])
    #expect(y.last?.isNaN == true)
    irc_softplus_f32(&y, x, x.count)
    #expect(y[0] == .infinity && y[1] == 0 && y[3] == 1e30 && y[8].isNaN)
    irc_sigmoid_f32(&y, x, x.count)
    #expect(y[0] == 1 && y[1] == 0 && y[6] == 0.5 && y[8].isNaN)
    irc_silu_f32(&y, x, x.count)
    #expect(y[0] == .infinity && y[5] == 0 && y[6] == 0 && y[8].isNaN)
    // The least results: subnormal, rounded once.
    irc_exp_f32(&y, [-103, -88, -87.5], 3)
    for (value, argument) in zip(y, [-103, -88, -87.5]) {
      #expect(abs(Double(value) - exp(argument)) <= 1.5 * Double(Float.leastNonzeroMagnitude))
    }
  }

  @Test(arguments: oddSizes + [255, 256, 257, 600])
  func inPlaceAndStrided(n: Int) {
    var samples = Samples(UInt64(n))
    let (a, b) = (samples.floats(3 * n), samples.floats(3 * n))
    let wide = SequenceTests.widen(a, rows: 3, to: n + 5)
    var y = a
    y.withUnsafeMutableBufferPointer {
      irc_mul_f32($0.baseAddress, $0.baseAddress, b, 3 * n)
      irc_add_f32($0.baseAddress, b, $0.baseAddress, 3 * n)
      irc_negate_f32($0.baseAddress, $0.baseAddress, 3 * n)
    }
    #expect(y == zip(a, b).map { -($0 * $1 + $1) })
    irc_mul_rows_f32(&y, wide, n + 5, b, n, 3, n)
    #expect(y == zip(a, b).map { $0 * $1 })
    irc_add_rows_f32(&y, wide, n + 5, b, n, 3, n)
    #expect(y == zip(a, b).map { $0 + $1 })
    let row = b[..<n].map { $0 }
    irc_div_rows_f32(&y, wide, n + 5, row, 3, n)
    #expect(y == a.indices.map { a[$0] / row[$0 % n] })
    var dense = a
    let gated = a.indices.map { a[$0] * row[$0 % n] }
    irc_sigmoid_f32(&dense, gated, 3 * n)
    irc_scaled_silu_rows_f32(&y, wide, n + 5, row, 3, n)
    #expect(close(y, a.indices.map { Double(a[$0]) * Double(dense[$0]) }, 1e-6))
    irc_silu_f32(&dense, a, 3 * n)
    irc_scaled_silu_rows_f32(&y, wide, n + 5, Array(repeating: 1, count: n), 3, n)
    #expect(y == dense)
    irc_silu_rows_f32(&y, wide, n + 5, 3, n)
    #expect(y == dense)
    irc_softplus_f32(&dense, a, 3 * n)
    irc_softplus_rows_f32(&y, wide, n + 5, 3, n)
    #expect(y == dense)
  }

  @Test(arguments: oddSizes)
  func norm(n: Int) {
    var samples = Samples(UInt64(n))
    let (x, gain) = (samples.floats(2 * n), samples.floats(n))
    let wide = SequenceTests.widen(x, rows: 2, to: n + 1)
    let exact = (0..<2 * n).map { at in
      let row = x[at / n * n..<at / n * n + n]
      let mean = row.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(n)
      return Double(x[at]) / (mean + 1e-5).squareRoot()
    }
    var y = x
    irc_rms_norm_f32(&y, wide, n + 1, gain, 2, n, 1e-5)
    #expect(close(y, exact.indices.map { exact[$0] * Double(gain[$0 % n]) }, 1e-6))
    y = x
    y.withUnsafeMutableBufferPointer {
      irc_rms_norm_f32($0.baseAddress, $0.baseAddress, n, nil, 2, n, 1e-5)
    }
    #expect(close(y, exact, 1e-6))
  }

  @Test(arguments: oddSizes)
  func layerNorm(n: Int) {
    var samples = Samples(UInt64(n))
    let (x, gain, bias) = (samples.floats(2 * n), samples.floats(n), samples.floats(n))
    let wide = SequenceTests.widen(x, rows: 2, to: n + 1)
    let exact = (0..<2 * n).map { at in
      let row = x[at / n * n..<at / n * n + n].map(Double.init)
      let mean = row.reduce(0, +) / Double(n)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(n)
      return (Double(x[at]) - mean) / (variance + 1e-2).squareRoot()
    }
    var y = x
    irc_layer_norm_f32(&y, wide, n + 1, gain, bias, 2, n, 1e-2)
    let moved = exact.indices.map { exact[$0] * Double(gain[$0 % n]) + Double(bias[$0 % n]) }
    #expect(close(y, moved, 2e-6))
    y = x
    y.withUnsafeMutableBufferPointer {
      irc_layer_norm_f32($0.baseAddress, $0.baseAddress, n, nil, nil, 2, n, 1e-2)
    }
    #expect(close(y, exact, 2e-6))
  }
}
