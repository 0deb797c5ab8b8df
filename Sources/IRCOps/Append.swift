public import IRCGraph
public import IRCTensor

/// The rows of a cache followed by new rows: [past, n] and [tokens, n] make [past+tokens, n].
public struct Append: PlainOperator {
  public static let name = "append"

  public init() {}

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["cache", "new"])
    try check.real(0, rank: 2...2)
    try check.exactly(1, .f32, [check[1].shape.first ?? 1, check[0].shape[1]])
    return [try real([check[0].shape[0] + check[1].shape[0], check[0].shape[1]])]
  }

  /// Rows stay as they are, so any transform of them passes.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    InvarianceRule(ties: [AxisTie([.operand(0, 1), .operand(1, 1), .result(0, 1)], .general)])
  }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    if operands[0].count == 0 { return [operands[1]] }
    return try Concatenate(axis: 0).evaluate(operands, in: context)
  }
}
