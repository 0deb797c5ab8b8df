import CKernels
import IRCGraph
import IRCOps
import IRCQuant
import IRCSupport
import IRCTensor
import Testing

/// The kernel operators of a branch are the operators that they stand for.
@Suite struct BranchOperatorTests {
  private static let contexts = [
    EvaluationContext(precision: .single, parameters: NoParameters()),
    EvaluationContext(precision: .single, parameters: NoParameters(), sums: .kernels),
    EvaluationContext(precision: .double, parameters: NoParameters()),
  ]

  private func integer(
    _ bits: Int, _ granularity: Granularity, symmetric: Bool = true
  ) -> QuantizationSpec {
    QuantizationSpec(.integer(bits: bits), granularity, isSymmetric: symmetric)
  }

  /// Codes, scale and perhaps zero point.
  private func quantized(
    _ x: Tensor, _ spec: QuantizationSpec, _ context: EvaluationContext
  ) throws -> [Tensor] {
    let parameters = try QuantizationParameters(spec: spec).evaluate([x], in: context)
    return try Quantize(spec: spec).evaluate([x] + parameters, in: context) + parameters
  }

  @Test func quantizersAreTheirParts() throws {
    for context in Self.contexts {
      let (x, down) = (
        random([5, 72], seed: 1).converted(to: context.precision),
        random([3, 72], seed: 2).converted(to: context.precision)
      )
      let hidden = try Linear().evaluate([x, down], in: context)
      for symmetric in [true, false] {
        let row = integer(4, .row, symmetric: symmetric)
        let dynamic = BranchingQuantize(spec: row, isDynamic: true)
        _ = try dynamic.resultTypes([x.type, down.type])
        #expect(
          try bytes(dynamic.evaluate([x, down], in: context))
            == bytes(quantized(x, row, context) + hidden))
        let tensor = integer(8, .tensor, symmetric: symmetric)
        let parts = try quantized(x, tensor, context)
        let fixed = BranchingQuantize(spec: tensor, isDynamic: false)
        #expect(
          try bytes(fixed.evaluate([x, down] + parts.dropFirst(), in: context))
            == bytes([parts[0]] + hidden))
      }
    }
  }

  @Test func productsAreTheirParts() throws {
    for context in Self.contexts {
      func real(_ shape: [Int], _ seed: UInt64) -> Tensor {
        random(shape, seed: seed).converted(to: context.precision)
      }
      let (x, hidden, up, bias) = (
        real([5, 72], 1), real([5, 3], 2), real([7, 3], 3), real([7], 4)
      )
      let branch = try Linear().evaluate([hidden, up], in: context)
      for weights in [integer(8, .row), integer(4, .group(32), symmetric: false)] {
        let w = try quantized(real([7, 72], 5), weights, context)
        let codes = try quantized(x, integer(8, .row), context)
        let cases: [(any Operator, any Operator, [Tensor])] = [false, true].flatMap {
          hasBias -> [(any Operator, any Operator, [Tensor])] in
          let real = DequantizingLinear(weights: weights, bias: hasBias)
          let whole = IntegerLinear(
            weights: weights, activations: integer(8, .row), bias: hasBias)
          let rest = w + (hasBias ? [bias] : [])
          return [
            (real, BranchedDequantizingLinear(real), [x] + rest),
            (whole, BranchedIntegerLinear(whole), codes + rest),
          ]
        }
        for (plain, branched, operands) in cases {
          let main = try plain.evaluate(operands, in: context)
          let all = operands + [hidden, up]
          #expect(
            try branched.resultTypes(all.map(\.type)) == plain.resultTypes(operands.map(\.type)))
          #expect(
            try bytes(branched.evaluate(all, in: context))
              == bytes(Add().evaluate(main + branch, in: context)), "\(branched)")
        }
      }
    }
  }

  /// The sums of a graph of kernels are those of the emitted C, whatever the thread count, for products that are cut and that are not.
  @Test(.serialized, arguments: [(3, 172, 11), (1, 1500, 2001), (40, 700, 130)])
  func kernelSums(size: (tokens: Int, inputs: Int, outputs: Int)) throws {
    let (tokens, inputs, outputs) = size
    let x = random([tokens, inputs], seed: 1).converted(to: .single)
    let weight = random([outputs, inputs], seed: 2).converted(to: .single)
    let bias = random([outputs], seed: 3).converted(to: .single)
    var expected = [Float](repeating: .nan, count: tokens * outputs)
    irc_linear_f32_ref(
      &expected, outputs, x.array(of: Float.self), inputs, weight.array(of: Float.self),
      bias.array(of: Float.self), tokens, inputs, outputs)
    defer { Parallel.setThreads(nil) }
    for threads in [1, 2, 5] {
      Parallel.setThreads(threads)
      let y = try Linear().evaluate([x, weight, bias], in: Self.contexts[1])[0]
      #expect(y.array(of: Float.self).map(\.bitPattern) == expected.map(\.bitPattern))
    }
    let exact = try Linear().evaluate(
      [x, weight, bias].map { $0.converted(to: .double) }, in: Self.contexts[2])[0]
    expectEqual(Tensor([tokens, outputs], expected.map(Double.init)), exact, tolerance: 1e-5)
  }

  private func bytes(_ tensors: [Tensor]) -> [[UInt8]] {
    tensors.map { $0.withBytes { Array($0) } }
  }
}
