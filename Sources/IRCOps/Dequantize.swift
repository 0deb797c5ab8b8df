public import IRCGraph
public import IRCQuant
public import IRCTensor

/// The values (code − zero) · scale, or values[code] · scale, or the fitted values, that codes stand for, computed in single precision.
public struct Dequantize: StagedOperator {
  public static let name = "dequantize"

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
    let check = try OperandCheck(
      operands, ["codes", "scale"] + (spec.hasZeroPoints ? ["zero"] : []))
    _ = try check.quantized(0, spec, shape: check[0].shape)
    return [TensorType(.f32, check[0].shape)]
  }

  /// Reorderings pass where neighbours share a scale; rows carry theirs with them.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    .quantization(operands, spec)
  }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(macs: results[0].elementCount, reading: operands, writing: results)
  }

  public var rowwiseOperands: [Int]? { spec.hasZeroPoints ? [0, 1, 2] : [0, 1] }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    let values = try dequantize(
      operands[0], operands[1], spec.hasZeroPoints ? operands[2] : nil, spec)
    return [values.converted(to: context.precision)]
  }
}
