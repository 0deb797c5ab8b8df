public import IRCGraph
public import IRCQuant
public import IRCTensor

/// Rounds x [T, in] to codes and multiplies it with `down` [rank, in], reading it once: codes, with their scale and zero point if
/// these are found as the model runs, and x·downᵀ [T, rank].
///
/// The same numbers as `quant_params`, `quantize` and `linear` give.
public struct BranchingQuantize: StagedOperator {
  public static let name = "branching_quantize"

  /// What the codes are.
  public let spec: QuantizationSpec
  /// True if a scale, and a zero point unless symmetric, of each token are results; else one of each are operands.
  public let isDynamic: Bool

  /// Makes the operator.
  public init(spec: QuantizationSpec, isDynamic: Bool) {
    self.spec = spec
    self.isDynamic = isDynamic
  }

  public init(reading attributes: inout AttributeReader) {
    spec = QuantizationSpec(reading: &attributes)
    isDynamic = attributes.bool("dynamic")
  }

  public var attributes: [(name: String, value: Attribute)] {
    spec.attributes + [("dynamic", .bool(isDynamic))]
  }

  public var earliestStage: Stage { .kernels }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let parameters = ["scale"] + (spec.isSymmetric ? [] : ["zero"])
    let check = try OperandCheck(operands, ["x", "down"] + (isDynamic ? [] : parameters))
    guard spec.format.isInteger else {
      throw OperatorError("codes of \(spec.format) are no integers to multiply")
    }
    guard spec.granularity == (isDynamic ? .row : .tensor) else {
      throw OperatorError(
        "codes have granularity \(spec.granularity), expected \(isDynamic ? "row" : "tensor")")
    }
    try check.real(0, rank: 2...2)
    let columns = check[0].shape[1]
    try check.expect(
      1, check[1].element == .f32 && check[1].rank == 2 && check[1].shape[1] == columns,
      "f32[rank, \(columns)] for x of type \(check[0])")
    let codes = TensorType(.i8, check[0].shape)
    let hidden = try real([check[0].shape[0], check[1].shape[0]])
    let shape = try spec.parameterShape(of: check[0].shape)
    if isDynamic {
      let zero = spec.isSymmetric ? [] : [TensorType(.i8, shape)]
      return [codes, TensorType(.f32, shape)] + zero + [hidden]
    }
    try check.exactly(2, .f32, shape)
    if !spec.isSymmetric { try check.exactly(3, .i8, shape) }
    return [codes, hidden]
  }

  /// The weight is final once it is given to a kernel.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule { .opaque }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(
      macs: linearMultiplications(operands[0], operands[1]), reading: operands, writing: results)
  }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    let x = operands[0]
    var parameters = Array(operands.dropFirst(2))
    if isDynamic {
      parameters = try QuantizationParameters(spec: spec).evaluate([x], in: context)
    }
    let codes = try Quantize(spec: spec).evaluate([x] + parameters, in: context)
    let hidden = try Linear().evaluate([x, operands[1]], in: context)
    return codes + (isDynamic ? parameters : []) + hidden
  }
}
