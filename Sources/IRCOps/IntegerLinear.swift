public import IRCGraph
public import IRCQuant
public import IRCTensor

/// A linear layer on codes: integer sums per group, then a fixed order of float steps.
///
/// For each token and row: acc = 0; acc = acc + Float(Σ (w − w zero)(x − x zero)) · w scale for each group in order;
/// y = acc · x scale (+ bias). Of a table, w is the integer that a code stands for, and the scale is multiplied by the table's step. The sums are exact, so that this equals the C kernel bit for bit.
public struct IntegerLinear: StagedOperator {
  public static let name = "integer_linear"

  /// How the weight is stored.
  public let weights: QuantizationSpec
  /// How the activations are stored: one scale for everything or one for each token.
  public let activations: QuantizationSpec
  /// True if the last operand is a bias.
  public let bias: Bool

  /// Makes the operator.
  public init(weights: QuantizationSpec, activations: QuantizationSpec, bias: Bool) {
    self.weights = weights
    self.activations = activations
    self.bias = bias
  }

  public init(reading attributes: inout AttributeReader) {
    weights = QuantizationSpec("weights", reading: &attributes)
    activations = QuantizationSpec("activations", reading: &attributes)
    bias = attributes.bool("bias")
  }

  public var attributes: [(name: String, value: Attribute)] {
    [
      ("weights", weights.attribute), ("activations", activations.attribute),
      ("bias", .bool(bias)),
    ]
  }

  public var earliestStage: Stage { .kernels }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(
      operands, activations.parts("x") + weights.parts("weight") + (bias ? ["bias"] : []))
    guard activations.isOrderFree else {
      throw OperatorError(
        "activations have granularity \(activations.granularity), expected tensor or row")
    }
    guard activations.format.isInteger else {
      throw OperatorError("codes of \(activations.format) are no integers to multiply")
    }
    guard weights.format.hasLevels else {
      throw OperatorError("codes of \(weights.format) stand for no integers to multiply")
    }
    try check.expect(0, check[0].rank == 2, "rank 2")
    let weight = try check.quantized(0, activations, shape: check[0].shape)
    try check.expect(
      weight, check[weight].rank == 2 && check[weight].shape[1] == check[0].shape[1],
      "i8[out, \(check[0].shape[1])] for x of type \(check[0])")
    let next = try check.quantized(weight, weights, shape: check[weight].shape)
    if bias { try check.exactly(next, .f32, [check[weight].shape[0]]) }
    return [try real([check[0].shape[0], check[weight].shape[0]])]
  }

  /// Weights are final once they are packed for kernels.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule { .opaque }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(
      macs: linearMultiplications(operands[0], operands[activations.partCount]),
      reading: operands, writing: results)
  }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    var list = OperandList(operands)
    let x = list.quantized(activations)
    let w = list.quantized(weights)
    let offset = list.nextIfPresent()
    switch context.precision {
    case .single:
      return [
        integerLinear(
          x, levels(w, weights), offset?.converted(to: .single), groups: weights.granularity)
      ]
    case .double:
      // The oracle is the definition: the product of the values that the codes stand for.
      let values = try dequantize(x.codes, x.scale, x.zero, activations).converted(to: .double)
      let weight = try dequantize(w.codes, w.scale, w.zero, weights).converted(to: .double)
      return [try linear(values, weight, offset, as: Double.self)]
    }
  }
}
