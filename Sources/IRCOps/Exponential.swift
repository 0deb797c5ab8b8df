private import CKernels
public import IRCGraph
public import IRCTensor

/// e to the power of each element.
public struct Exponential: PlainOperator, KernelOperator {
  public static let name = "exp"

  public init() {}

  public func resultTypes(_ operands: [TensorType]) throws(OperatorError) -> [TensorType] {
    let check = try OperandCheck(operands, ["x"])
    try check.real(0, rank: 0...Int.max)
    return [check[0]]
  }

  /// A function of single elements passes reorderings only.
  public func invariance(_ operands: [TensorType]) -> InvarianceRule {
    .elementwise(operands[0], .permutation)
  }

  public var rowwiseOperands: [Int]? { [0] }

  public func evaluateByKernel(_ operands: [Tensor]) throws -> [Tensor] {
    [unsafe mapByKernel(operands[0], irc_exp_f32)]
  }

  public func evaluate<Scalar: Real>(
    _ operands: [Tensor], as scalar: Scalar.Type
  ) throws -> [Tensor] {
    [mapElements(operands[0], Scalar.exponential)]
  }
}
