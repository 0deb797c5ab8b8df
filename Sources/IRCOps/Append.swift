public import IRCGraph
public import IRCTensor

/// The rows of a cache followed by new rows, numbers or codes: [past, n] and [tokens, n] make [past+tokens, n].
public struct Append: PlainOperator {
  public static let name = "append"

  public init() {}

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["cache", "new"])
    let element = check[0].element
    try check.expect(
      0, [.f32, .i8].contains(element) && check[0].rank == 2,
      "real values (f32) or codes (i8) of rank 2")
    try check.exactly(1, element, [check[1].shape.first ?? 1, check[0].shape[1]])
    let shape = [check[0].shape[0] + check[1].shape[0], check[0].shape[1]]
    return [try TensorType(element, shape).checked()]
  }

  /// Rows stay as they are, so any transform of numbers passes; codes are no numbers to transform.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    if operands[0].element == .i8 { return .opaque }
    let axes: [OperatorAxis] = [.operand(0, 1), .operand(1, 1), .result(0, 1)]
    return InvarianceRule(ties: [AxisTie(axes, .general)])
  }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    if operands[0].count == 0 { return [operands[1]] }
    return try Concatenate(axis: 0).evaluate(operands, in: context)
  }
}
