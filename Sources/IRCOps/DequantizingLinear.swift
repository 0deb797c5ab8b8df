public import IRCGraph
public import IRCQuant
public import IRCTensor

/// `linear` with a quantized weight: x·dequantize(W)ᵀ (+ bias).
public struct DequantizingLinear: StagedOperator {
  public static let name = "dequantizing_linear"

  /// How the weight is stored.
  public let weights: QuantizationSpec
  /// True if the last operand is a bias.
  public let bias: Bool

  /// Makes the operator.
  public init(weights: QuantizationSpec, bias: Bool) {
    self.weights = weights
    self.bias = bias
  }

  public init(reading attributes: inout AttributeReader) {
    weights = QuantizationSpec("weights", reading: &attributes)
    bias = attributes.bool("bias")
  }

  public var attributes: [(name: String, value: Attribute)] {
    [("weights", weights.attribute), ("bias", .bool(bias))]
  }

  public var earliestStage: Stage { .kernels }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(
      operands, ["x"] + weights.parts("weight") + (bias ? ["bias"] : []))
    try check.real(0, rank: 2...Int.max)
    let input = check[0].shape[check[0].rank - 1]
    try check.expect(
      1, check[1].rank == 2 && check[1].shape[1] == input,
      "i8[out, \(input)] for x of type \(check[0])")
    let next = try check.quantized(1, weights, shape: check[1].shape)
    if bias { try check.exactly(next, .f32, [check[1].shape[0]]) }
    return [try real(check[0].shape.dropLast() + [check[1].shape[0]])]
  }

  /// Weights are final once they are packed for kernels.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule { .opaque }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(
      macs: linearMultiplications(operands[0], operands[1]), reading: operands, writing: results)
  }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    var list = OperandList(operands)
    let x = list.next()
    let stored = list.quantized(weights)
    let weight = try dequantize(stored.codes, stored.scale, stored.zero, weights)
      .converted(to: context.precision)
    // The kernel multiplies with the same values, each dequantized in the same way.
    return try Linear().evaluate([x, weight] + (bias ? [list.next()] : []), in: context)
  }
}
