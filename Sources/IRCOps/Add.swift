public import IRCGraph
public import IRCTensor

/// Sum of two values of one type, element by element.
public struct Add: PlainOperator, RealOperator {
  public static let name = "add"

  public init() {}

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["a", "b"])
    try check.real(0, rank: 0...Int.max)
    try check.exactly(1, .f32, check[0].shape)
    return [check[0]]
  }

  /// (a + b)·T = a·T + b·T for any T, along any axis.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    InvarianceRule(
      ties: operands[0].shape.indices.map { axis in
        AxisTie(
          [.operand(0, axis), .operand(1, axis), .result(0, axis)], .general, role: .residual)
      })
  }

  public var rowwiseOperands: [Int]? { [0, 1] }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    let count = operands[0].count
    return unsafe withPointers(operands, as: Scalar.self) { pointers in
      let a = unsafe pointers[0]
      let b = unsafe pointers[1]
      return [
        unsafe makeTensor(operands[0].shape, of: Scalar.self) { sum in
          for index in 0..<count { unsafe sum[index] = a[index] + b[index] }
        }
      ]
    }
  }
}
