public import IRCGraph
public import IRCQuant
public import IRCTensor

/// Rounds x [..., n] to codes under given scales and zero points; a scale [1, 1] is for all rows.
///
/// code = clamp(rint(x · (1/scale)) + zero), ties to even, in single precision; of a table format the code of the value nearest to
/// x · (1/scale), and of a fitted format that of the value nearest to x.
public struct Quantize: StagedOperator {
  public static let name = "quantize"

  /// What the codes are.
  public let spec: QuantizationSpec

  /// Makes the operator.
  public init(spec: QuantizationSpec) {
    self.spec = spec
  }

  public init(reading attributes: inout AttributeReader) {
    spec = QuantizationSpec(reading: &attributes)
  }

  public var attributes: [(name: String, value: Attribute)] { spec.attributes }
  public var earliestStage: Stage { .quantized }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x", "scale"] + (spec.hasZeroPoints ? ["zero"] : []))
    try check.real(0, rank: 2...Int.max)
    _ = try check.parameters(1, spec, of: check[0].shape)
    return [TensorType(.i8, check[0].shape)]
  }

  /// Reorderings pass where neighbours share a scale; rows carry theirs with them.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    .quantization(operands, spec)
  }

  public var rowwiseOperands: [Int]? { spec.hasZeroPoints ? [0, 1, 2] : [0, 1] }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    [try quantize(operands[0], operands[1], spec.hasZeroPoints ? operands[2] : nil, spec)]
  }
}

extension InvarianceRule {
  /// The rule of `quantize` and `dequantize`, whose first operand and result have one shape and whose others are scales.
  static func quantization(_ operands: [TensorType], _ spec: QuantizationSpec) -> InvarianceRule {
    let last = operands[0].rank - 1
    let hasOneScale = operands[1].shape == spec.singleParameterShape
    var ties: [AxisTie] = []
    if spec.isOrderFree || hasOneScale {
      ties.append(AxisTie([.operand(0, last), .result(0, last)], .permutation))
    }
    if last == 1 {
      let moved: [OperatorAxis] =
        hasOneScale ? [] : (1..<operands.count).map { .operand($0, 0) }
      ties.append(AxisTie([.operand(0, 0)] + moved + [.result(0, 0)], .permutation))
    }
    return InvarianceRule(ties: ties)
  }
}
