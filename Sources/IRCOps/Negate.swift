public import IRCGraph
public import IRCTensor

/// Sign change of each element.
public struct Negate: PlainOperator, RealOperator {
  public static let name = "neg"

  public init() {}

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x"])
    try check.real(0, rank: 0...Int.max)
    return [check[0]]
  }

  /// −(x·T) = (−x)·T for any T, along any axis.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    .elementwise(operands[0], .general)
  }

  public var rowwiseOperands: [Int]? { [0] }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    [mapElements(operands[0]) { (x: Scalar) in -x }]
  }
}
