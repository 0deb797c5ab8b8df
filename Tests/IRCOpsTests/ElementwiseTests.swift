import Foundation
import IRCGraph
import IRCOps
import IRCTensor
import Testing

@Suite struct ElementwiseTests {
  static let functions: [(op: any Operator, function: @Sendable (Double) -> Double)] = [
    (Negate(), { -$0 }),
    (Exponential(), { exp($0) }),
    (SiLU(), { $0 / (1 + exp(-$0)) }),
    (Softplus(), { $0 > 0 ? $0 + log1p(exp(-$0)) : log1p(exp($0)) }),
  ]

  @Test(arguments: functions.indices)
  func functionOfEachElement(index: Int) throws {
    let (op, function) = Self.functions[index]
    for shape in [[], [1], [3], [2, 5], [2, 1, 33]] {
      let x = random(shape, seed: 3, scale: 4)
      let expected = real(shape, x.values.map(function))
      expectEqual(try run(op, [x])[0], expected)
      expectEqual(try run(op, [x], .single)[0], expected, tolerance: 1e-6)
    }
  }

  @Test func goldenValues() throws {
    let softplus = try run(Softplus(), [real([5], [-30, -1, 0, 1, 30])])[0]
    expectEqual(
      softplus, real([5], [9.3576e-14, 0.31326169, 0.69314718, 1.31326169, 30]), tolerance: 1e-8)
    #expect(abs(softplus.values[0] / 9.3576e-14 - 1) < 1e-4)
    let silu = try run(SiLU(), [real([5], [0.45, -0.45, 0.85, 0.85, 0.2])])[0]
    expectEqual(
      silu, real([5], [0.27478766, -0.17521234, 0.59548207, 0.59548207, 0.1099668]),
      tolerance: 1e-7)
  }

  @Test func extremesStayFinite() throws {
    let x = real([4], [-1000, -100, 100, 1000])
    #expect(try run(Softplus(), [x])[0].values == [0, exp(-100), 100, 1000])
    #expect(try run(SiLU(), [x])[0].values[2...] == [100, 1000])
    #expect(try run(SiLU(), [x])[0].values[0] == 0)
  }

  @Test func addsAndMultiplies() throws {
    let (a, b) = (random([3, 4], seed: 1), random([3, 4], seed: 2))
    let gain = random([4], seed: 3)
    expectEqual(try run(Add(), [a, b])[0], real([3, 4], zip(a.values, b.values).map(+)))
    expectEqual(try run(Multiply(), [a, b])[0], real([3, 4], zip(a.values, b.values).map(*)))
    expectEqual(
      try run(Multiply(), [a, gain])[0],
      real([3, 4], (0..<12).map { a.values[$0] * gain.values[$0 % 4] }))
    let row = random([4], seed: 4)
    expectEqual(
      try run(Multiply(), [row, gain])[0], real([4], zip(row.values, gain.values).map(*)))
  }
}
