public import IRCGraph
public import IRCTensor

/// Positions of the tokens of this run: ids [T] and an offset [1] make offset + 0..<T and the next offset.
public struct Positions: PlainOperator {
  public static let name = "positions"

  public init() {}

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["ids", "offset"])
    try check.expect(0, check[0].element == .i32 && check[0].rank == 1, "i32 values of rank 1")
    try check.exactly(1, .i32, [1])
    return [check[0], check[1]]
  }

  /// Numbers of tokens have no channels.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule { .opaque }

  public func evaluate(_ operands: [Tensor], in context: EvaluationContext) throws -> [Tensor] {
    let count = operands[0].count
    let offset = integers(operands[1])[0]
    guard offset >= 0, count <= Int(Int32.max - offset) else {
      throw OperatorError("position \(offset) + \(count) is out of range")
    }
    return [
      Tensor([count], (0..<count).map { offset + Int32($0) }),
      Tensor([1], [offset + Int32(count)]),
    ]
  }
}
