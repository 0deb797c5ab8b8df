public import IRCGraph
public import IRCQuant
public import IRCTensor

/// Scales, and zero points if asymmetric, that fit the values of x [..., n]: [rows, groups] each, [1, 1] for a whole tensor. Of a
/// fitted format the n values or factors of each group: [rows, groups · n].
///
/// The rule is that of `irc_kernels.h`: symmetric from the largest magnitude, asymmetric from the range together with 0.
/// `irc_encode.h` defines scales of eight bits, and `irc_fit.h` how values are fitted. Computed in single precision whatever precision the graph runs
/// in, since the formats are defined on it.
public struct QuantizationParameters: StagedOperator {
  public static let name = "quant_params"

  /// What the codes will be.
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
    let check = try OperandCheck(operands, ["x"])
    try check.real(0, rank: 2...Int.max)
    let shape = try spec.parameterShape(of: check[0].shape)
    return [TensorType(.f32, shape)] + (spec.hasZeroPoints ? [TensorType(.i8, shape)] : [])
  }

  /// The order within a row does not matter where the row has one scale; rows carry their scales with them.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    let last = operands[0].rank - 1
    var ties: [AxisTie] = []
    if spec.isOrderFree { ties.append(AxisTie([.operand(0, last)], .permutation)) }
    if last == 1 {
      let results = spec.hasZeroPoints ? 2 : 1
      let moved: [OperatorAxis] =
        spec.granularity == .tensor ? [] : (0..<results).map { .result($0, 0) }
      ties.append(AxisTie([.operand(0, 0)] + moved, .permutation))
    }
    return InvarianceRule(ties: ties)
  }

  public var rowwiseOperands: [Int]? {
    spec.granularity == .tensor || spec.scaleFormat.needsWholeTensor ? nil : [0]
  }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    let (scale, zero) = try quantizationParameters(operands[0], spec)
    return [scale.converted(to: context.precision)] + (zero.map { [$0] } ?? [])
  }
}

extension QuantizationSpec {
  /// True if the elements of a row share a scale, so that their order is free.
  var isOrderFree: Bool {
    switch granularity {
    case .tensor, .row: true
    case .group: false
    }
  }
}
