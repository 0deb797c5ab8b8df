public import IRCGraph
public import IRCTensor

/// Product of two values element by element; a `b` of rank 1 multiplies every row of `a`.
public struct Multiply: PlainOperator, RealOperator {
  public static let name = "mul"

  public init() {}

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["a", "b"])
    try check.real(0, rank: 0...Int.max)
    try check.expect(
      1, check[1] == check[0] || check[1] == TensorType(.f32, check[0].shape.suffix(1)),
      "\(check[0]) or a rank 1 value as long as its last axis")
    return [check[0]]
  }

  /// (a·P·D₁) ⊙ (b·P·D₂) = (a ⊙ b)·P·D₁D₂; where `b` is broadcast along an axis the product is linear in `a`.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    let rank = operands[0].rank
    let isBroadcast = operands[1].rank != rank
    return InvarianceRule(
      ties: (0..<rank).map { axis in
        if isBroadcast && axis < rank - 1 {
          return AxisTie([.operand(0, axis), .result(0, axis)], .general)
        }
        return AxisTie(
          [.operand(0, axis), .operand(1, isBroadcast ? 0 : axis), .result(0, axis)], .monomial,
          .product, role: .product)
      })
  }

  public func cost(_ operands: [TensorType], _ results: [TensorType]) -> Cost {
    Cost(macs: results[0].elementCount, reading: operands, writing: results)
  }

  public var rowwiseOperands: [Int]? { [0, 1] }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    let columns = max(1, operands[1].count)
    let rows = operands[0].count / columns
    return unsafe withPointers(operands, as: Scalar.self) { pointers in
      let a = unsafe pointers[0]
      let b = unsafe pointers[1]
      return [
        unsafe makeTensor(operands[0].shape, of: Scalar.self) { product in
          for row in 0..<rows {
            let start = row * columns
            for column in 0..<columns {
              unsafe product[start + column] = a[start + column] * b[column]
            }
          }
        }
      ]
    }
  }
}
