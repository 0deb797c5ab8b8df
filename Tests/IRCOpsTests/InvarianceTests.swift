import IRCGraph
import IRCOps
import IRCQuant
import IRCTensor
import Testing

/// One driver for every rule: transforms that satisfy the declared ties must turn the results as the ties say.
@Suite struct InvarianceTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let op: any Operator
    let operands: [Tensor]
    var testDescription: String { "\(op) \(operands.map(\.type))" }
  }

  static let cases: [Case] = {
    let x = random([4, 6], seed: 1)
    let row = QuantizationSpec(.integer(bits: 8), .row, isSymmetric: false)
    let tensor = QuantizationSpec(.integer(bits: 4), .tensor)
    let group = QuantizationSpec(.integer(bits: 4), .group(3))
    let scales = real([4, 1], [0.5, 1, 2, 4])
    let zeros = Tensor([4, 1], [Int8(3), -2, 0, 5])
    let codes = Tensor([4, 6], (0..<24).map { Int8($0 * 5 - 60) })
    return [
      Case(op: Add(), operands: [x, random([4, 6], seed: 2)]),
      Case(op: Multiply(), operands: [x, random([4, 6], seed: 2)]),
      Case(op: Multiply(), operands: [x, random([6], seed: 2)]),
      Case(op: Negate(), operands: [x]),
      Case(op: Exponential(), operands: [x]),
      Case(op: SiLU(), operands: [x]),
      Case(op: ScaledSiLU(), operands: [x, random([6], seed: 2)]),
      Case(op: Softplus(), operands: [x]),
      Case(op: Reshape(shape: [4, 3]), operands: [random([4, 1, 3], seed: 1)]),
      Case(op: Reshape(shape: [4, 2, 3]), operands: [x]),
      Case(op: Slice(axis: 1, lower: 2, upper: 5), operands: [x]),
      Case(op: Slice(axis: 0, lower: 0, upper: 2), operands: [x]),
      Case(op: Transpose(order: [2, 0, 1]), operands: [random([2, 3, 4], seed: 1)]),
      Case(op: Concatenate(axis: 1), operands: [x, random([4, 3], seed: 2)]),
      Case(op: Append(), operands: [x, random([2, 6], seed: 2)]),
      Case(op: ChannelScale(axis: 1), operands: [x, random([6], seed: 2)]),
      Case(op: ChannelScale(axis: 0, isInverse: true), operands: [x, real([4], [0.5, -1, 2, 4])]),
      Case(op: ChannelGather(axis: 1), operands: [x, ids([2, 0, 1, 5, 4, 3])]),
      Case(op: ChannelGather(axis: 0), operands: [x, ids([3, 0, 1, 2])]),
      Case(op: ChannelMatmul(axis: 1), operands: [x, random([1, 6, 6], seed: 2)]),
      Case(
        op: ChannelMatmul(axis: 0, isTransposed: true), operands: [x, random([1, 4, 4], seed: 2)]),
      Case(op: ChannelMatmul(axis: 1, repeats: 2), operands: [x, random([1, 3, 3], seed: 2)]),
      Case(op: HadamardTransform(axis: 1, block: 2, seed: 5), operands: [x]),
      Case(op: HadamardTransform(axis: 0, block: 4, seed: nil), operands: [x]),
      Case(op: Embedding(), operands: [ids([1, 3, 3]), x]),
      Case(op: Linear(), operands: [x, random([3, 6], seed: 2)]),
      Case(op: Linear(), operands: [x, random([3, 6], seed: 2), random([3], seed: 3)]),
      Case(op: RMSNorm(epsilon: 0.1), operands: [x]),
      Case(op: RMSNorm(epsilon: 0.1), operands: [x, random([6], seed: 2)]),
      Case(op: LayerNorm(epsilon: 0.1), operands: [x]),
      Case(op: LayerNorm(epsilon: 0.1), operands: [x, random([6], seed: 2)]),
      Case(
        op: LayerNorm(epsilon: 0.1), operands: [x, random([6], seed: 2), random([6], seed: 3)]),
      Case(op: ChannelCentre(axis: 1), operands: [x]),
      Case(op: ChannelCentre(axis: 0), operands: [x]),
      Case(
        op: RotaryEmbedding(headDimension: 6, theta: 10),
        operands: [random([3, 12], seed: 1), ids([0, 1, 5])]),
      Case(
        op: Attention(heads: 2, keyValueHeads: 2, scale: 0.4, window: 0),
        operands: [x, random([5, 6], seed: 2), random([5, 6], seed: 3)]),
      Case(
        op: Attention(heads: 6, keyValueHeads: 2, scale: 0.4, window: 3),
        operands: [random([4, 18], seed: 1), random([5, 6], seed: 2), random([5, 6], seed: 3)]),
      Case(
        op: CausalConvolution(),
        operands: [x, random([2, 6], seed: 2), random([6, 3], seed: 3), random([6], seed: 4)]),
      Case(
        op: CausalConvolution(), operands: [x, random([2, 6], seed: 2), random([6, 3], seed: 3)]),
      Case(op: SelectiveScan(), operands: Scan.operands(4, 5, 3)),
      Case(op: QuantizationParameters(spec: row), operands: [x]),
      Case(op: QuantizationParameters(spec: tensor), operands: [x]),
      Case(op: QuantizationParameters(spec: group), operands: [x]),
      Case(op: Quantize(spec: row), operands: [x, scales, zeros]),
      // Most of these lie beyond the codes, whose range is not the same on both sides.
      Case(op: Quantize(spec: tensor), operands: [x, real([1, 1], [0.05])]),
      Case(op: Quantize(spec: group), operands: [x, random([4, 2], seed: 5)]),
      Case(op: Dequantize(spec: row), operands: [codes, scales, zeros]),
      Case(op: Dequantize(spec: group), operands: [codes, random([4, 2], seed: 5)]),
    ]
  }()

  /// Largest difference between transforming the results and running on transformed operands.
  static func violation(
    _ op: any Operator, _ operands: [Tensor], _ transforms: [OperatorAxis: Matrix]
  ) throws -> Double {
    var moved = operands
    for index in operands.indices {
      for axis in operands[index].shape.indices {
        guard let matrix = transforms[.operand(index, axis)] else { continue }
        moved[index] = moved[index].transformed(along: axis, by: matrix)
      }
    }
    let actual = try run(op, moved)
    var largest = 0.0
    for (index, result) in try run(op, operands).enumerated() {
      var expected = result
      for axis in result.shape.indices {
        guard let matrix = transforms[.result(index, axis)] else { continue }
        expected = expected.transformed(along: axis, by: matrix)
      }
      largest = max(largest, relativeDifference(actual[index], expected))
    }
    return largest
  }

  @Test(arguments: cases, [UInt64(1), 2, 3])
  func declaredTransformsPass(test: Case, seed: UInt64) throws {
    let sampler = try InvarianceSampler(test.op, test.operands.map(\.type), seed: seed)
    #expect(!sampler.ties.isEmpty)
    #expect(sampler.transforms.values.contains { $0 != .identity($0.size) })
    #expect(try Self.violation(test.op, test.operands, sampler.transforms) < 1e-12)
  }

  /// The driver sees what a rule does not allow.
  @Test func otherTransformsDoNotPass() throws {
    let x = random([4, 6], seed: 1)
    let scale = Matrix(6) { $0 == $1 ? Double($0 + 1) : 0 }
    let mixed = Matrix(6) { Double(($0 * 7 + $1 * 3) % 5) - 1.7 }.orthonormalised
    let scaled: [OperatorAxis: Matrix] = [.operand(0, 1): scale, .result(0, 1): scale]
    let rotated: [OperatorAxis: Matrix] = [.operand(0, 1): mixed, .result(0, 1): mixed]
    let w = random([3, 6], seed: 2)
    let cases: [(any Operator, [Tensor], [OperatorAxis: Matrix])] = [
      (SiLU(), [x], scaled), (SiLU(), [x], rotated), (Softplus(), [x], scaled),
      (Exponential(), [x], rotated), (RMSNorm(epsilon: 0.1), [x], scaled),
      (RMSNorm(epsilon: 0.1), [x, random([6], seed: 2)], rotated),
      (LayerNorm(epsilon: 0.1), [x], rotated), (LayerNorm(epsilon: 0.1), [x], scaled),
      (ChannelCentre(axis: 1), [x], rotated), (ChannelCentre(axis: 1), [x], scaled),
      (RotaryEmbedding(headDimension: 6, theta: 10), [x, ids([1, 2, 3, 4])], rotated),
      (RotaryEmbedding(headDimension: 6, theta: 10), [x, ids([1, 2, 3, 4])], scaled),
      (ScaledSiLU(), [x, random([6], seed: 2)], scaled),
      (ScaledSiLU(), [x, random([6], seed: 2)], rotated),
      (ChannelScale(axis: 1), [x, random([6], seed: 2)], rotated),
      (ChannelGather(axis: 1), [x, ids([1, 2, 3, 4, 5, 0])], scaled),
      (ChannelMatmul(axis: 1), [x, random([1, 6, 6], seed: 2)], rotated),
      (HadamardTransform(axis: 1, block: 2, seed: nil), [x], scaled),
      (HadamardTransform(axis: 1, block: 2, seed: nil), [x], rotated),
      (Linear(), [x, w], [.operand(0, 1): mixed.inverse]),
      (Linear(), [x, w], [.operand(0, 1): scale, .operand(1, 1): scale]),
      (
        CausalConvolution(), [x, random([2, 6], seed: 2), random([6, 3], seed: 3)],
        rotated.merging([.operand(1, 1): mixed, .result(1, 1): mixed]) { $1 }
      ),
      (
        SelectiveScan(), Scan.operands(4, 5, 6),
        [.operand(3, 1): mixed, .operand(4, 1): mixed, .operand(6, 1): mixed, .result(1, 1): mixed]
      ),
    ]
    for (op, operands, transforms) in cases {
      #expect(try Self.violation(op, operands, transforms) > 1e-3, "\(op)")
    }
  }

  /// An adapted operator whose new parameter is 1 computes what the original does, and lets channel factors pass.
  @Test func adaptations() throws {
    let x = random([4, 6], seed: 1)
    for op in [SiLU(), RMSNorm(epsilon: 0.1), LayerNorm(epsilon: 0.1)] as [any Operator] {
      let adaptation = try #require(op.adaptation([x.type]))
      let unit = real([6], [Double](repeating: 1, count: 6))
      #expect(adaptation.unit == unit.type)
      let results = try (run(op, [x]), run(adaptation.becomes, [x, unit]))
      #expect(relativeDifference(results.0[0], results.1[0]) < 1e-15)
      let ties = adaptation.becomes.invariance([x.type, adaptation.unit]).ties
      #expect(
        ties.contains { tie in
          tie.group == .monomial && tie.axes.contains(.operand(1, 0))
        })
    }
    #expect(RMSNorm(epsilon: 0.1).adaptation([x.type, f32(6)]) == nil)
    #expect(LayerNorm(epsilon: 0.1).adaptation([x.type, f32(6)]) == nil)
    #expect(Softplus().adaptation([x.type]) == nil)
  }

  @Test func opaqueOperators() {
    #expect(Positions().invariance([TensorType(.i32, [3]), TensorType(.i32, [1])]) == .opaque)
    #expect(Input(name: "ids", type: TensorType(.i32, [3])).invariance([]) == .opaque)
    #expect(Parameter(name: "w", shape: [3], stored: .f16).invariance([]) == .opaque)
  }
}
