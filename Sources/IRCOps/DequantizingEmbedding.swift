public import IRCGraph
public import IRCQuant
public import IRCTensor

/// The rows of a quantized table [V, D] that the ids [T] name, dequantized: [T, D].
public struct DequantizingEmbedding: StagedOperator {
  public static let name = "dequantizing_embedding"

  /// How the table is stored.
  public let weights: QuantizationSpec

  /// Makes the operator.
  public init(weights: QuantizationSpec) {
    self.weights = weights
  }

  public init(reading attributes: inout AttributeReader) {
    weights = QuantizationSpec("weights", reading: &attributes)
  }

  public var attributes: [(name: String, value: Attribute)] { [("weights", weights.attribute)] }
  public var earliestStage: Stage { .kernels }

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["ids"] + weights.parts("table"))
    try check.expect(0, check[0].element == .i32 && check[0].rank == 1, "i32 values of rank 1")
    try check.expect(1, check[1].rank == 2, "rank 2")
    _ = try check.quantized(1, weights, shape: check[1].shape)
    return [try real([check[0].shape[0], check[1].shape[1]])]
  }

  /// Weights are final once they are packed for kernels.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule { .opaque }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(macs: results[0].elementCount, reading: [operands[0], results[0]], writing: results)
  }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    var list = OperandList(operands)
    let ids = list.next()
    let table = list.quantized(weights)
    let rows = try checkedIdentifiers(ids, below: table.codes.shape[0]).map(Int.init)
    // Only the named rows are decoded; a scale for everything stays one.
    let hasOneScale = table.scale.count == weights.numbersPerGroup
    let values = try dequantize(
      gather(table.codes, rows), hasOneScale ? table.scale : gather(table.scale, rows),
      hasOneScale ? table.zero : table.zero.map { try gather($0, rows) }, weights)
    return [values.converted(to: context.precision)]
  }
}

/// The named rows of a matrix.
private func gather(_ matrix: Tensor, _ rows: [Int]) throws -> Tensor {
  let bytes = matrix.columns * matrix.elementType.byteCount
  return try unsafe matrix.rearranged([rows.count, matrix.columns]) { source, target in
    for (index, row) in rows.enumerated() {
      unsafe (target + index * bytes).copyMemory(from: source + row * bytes, byteCount: bytes)
    }
  }
}
