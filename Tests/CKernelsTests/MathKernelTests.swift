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
      guard abs(exact) >= Double(Float.leastNormalMagnitude), Float(exact).isFinite else { continue }
      // Below -87 SiLU multiplies a subnormal exponential: its bound there is absolute.
      if test.name == "silu", x < -87, abs(Double(y) - exact) < 1e-43 { continue }
      let error = abs(Double(y) - exact) / Double(Float(exact).ulp)
      if error > worst || error.isNaN { (worst, at) = (error, x) }
    }
    #expect(worst <= test.bound, "at \(at)")
  }
}
